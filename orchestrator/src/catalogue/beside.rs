//! Operations beside the cycle, which leave production where it is: FB1720 to FB1729.

use super::entries;

entries! {
    NOT_SERVED "FB1720" Operator ["P13"] "the machine is not served by the process server it is to leave";
        "it was moved to another process server already",
        "another process server was named when it was protected or reprotected"
        => "Look up on the machine's page which process server serves it, and name that one as the source.";
}
