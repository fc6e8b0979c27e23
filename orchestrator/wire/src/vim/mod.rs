//! vim25, the SOAP protocol of vCenter: the codec both the fake and the orchestrator's client use.
//!
//! Elements are known by namespace, never by prefix. What is written keeps the order of the WSDL (base
//! class first), names a type only where it is narrower than the declared one, and leaves out what is unset.

mod fault;
mod moref;
mod soap;
mod spec;
mod value;
mod xml;

pub use fault::Fault;
pub use moref::MoRef;
pub use soap::{ReplyError, VimRequest, parse_reply, reply, service_versions};
pub use spec::{
    DeviceChange, DeviceOp, DeviceSpec, FileOp, FilterSpec, ObjectSpec, PropSpec, Selection, TaskInfo,
    VmConfigSpec,
};
pub use value::{Lookup, Obj, Value};
pub use xml::{Element, Ns, XmlError};

#[cfg(test)]
mod tests;
