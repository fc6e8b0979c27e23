//! The outside world as fakes with state: vCenter, Azure, configuration server, process servers, master
//! targets and the guests with their mobility agents.

pub mod azure;
pub mod component;
pub mod cs;
pub mod guest;
pub mod master_target;
pub mod net;
pub mod process_server;
mod session_api;
pub mod vcenter;
