//! Every recorded request of a real client is understood.

use failback_wire::vim::*;
use std::path::PathBuf;

/// `client/0001-Method` of every recording with this suffix.
pub(crate) fn recordings(suffix: &str) -> Vec<(String, Vec<u8>)> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/vim-samples");
    let mut found = Vec::new();
    for client in std::fs::read_dir(root).unwrap() {
        let client = client.unwrap();
        for file in std::fs::read_dir(client.path()).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|e| e == suffix) {
                let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
                let name = format!("{}/{stem}", client.file_name().to_string_lossy());
                found.push((name, std::fs::read(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// What follows the first empty line.
pub(crate) fn body(file: &[u8]) -> &[u8] {
    let text = std::str::from_utf8(file).unwrap();
    let crlf = text.find("\r\n\r\n").map(|at| at + 4);
    let at = crlf.or_else(|| text.find("\n\n").map(|at| at + 2)).unwrap();
    &file[at..]
}

#[test]
fn every_request_parses_and_survives_a_round_trip() {
    let mut seen = 0;
    for (name, file) in recordings("req") {
        if name.contains("GET_sdk") {
            continue;
        }
        let request = VimRequest::parse(body(&file)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let method = name.split('-').nth(1).unwrap();
        if name.contains("/0") {
            assert_eq!(request.method, method, "{name}");
        }
        assert!(!request.this.kind.is_empty() && !request.this.id.is_empty(), "{name}");
        assert_eq!(VimRequest::parse(&request.encode()).unwrap(), request, "{name}");
        seen += 1;
    }
    assert_eq!(seen, 74);
}

#[test]
fn the_specs_in_the_requests_are_understood() {
    let find = |wanted: &str| {
        let (_, file) = recordings("req").into_iter().find(|(name, _)| name == wanted).unwrap();
        VimRequest::parse(body(&file)).unwrap()
    };
    for name in [
        "ansible/0127-RetrieveProperties",
        "pyvmomi/0045-RetrievePropertiesEx",
        "rbvmomi/0007-RetrieveProperties",
    ] {
        let spec = FilterSpec::read(find(name).get("specSet").unwrap()).unwrap();
        assert_eq!(spec.props.len(), 1);
        assert!(!spec.props[0].paths.is_empty() && !spec.props[0].all);
        assert_eq!(spec.objects[0].obj.kind, "ContainerView");
        assert_eq!(FilterSpec::read(&spec.element("specSet")).unwrap(), spec);
    }
    let wait_task = FilterSpec::read(find("pyvmomi/0077-CreateFilter").get("spec").unwrap()).unwrap();
    assert!(wait_task.props[0].all);
    let spec = |name: &str| VmConfigSpec::read(find(name).get("spec").unwrap()).unwrap();
    for name in ["govc/0538-ReconfigVM_Task", "pyvmomi/0483-ReconfigVM_Task"] {
        let change = &spec(name).devices[0];
        assert_eq!((change.op, change.file_op), (DeviceOp::Add, Some(FileOp::Create)), "{name}");
        assert_eq!(change.device.kind, "VirtualDisk");
        assert_eq!(change.device.capacity_kb, Some(65_536));
        assert!(change.device.file.as_ref().unwrap().ends_with(".vmdk"));
    }
    let remove = &spec("pyvmomi/0536-ReconfigVM_Task").devices[0];
    assert_eq!((remove.op, remove.file_op, remove.device.key), (DeviceOp::Remove, None, 205));
    let controller = &spec("ansible/0635-ReconfigVM_Task").devices[0].device;
    assert_eq!((controller.kind.as_str(), controller.bus), ("VirtualLsiLogicController", Some(0)));
    assert_eq!(spec("pyvmomi/0342-ReconfigVM_Task").memory_mb, Some(36));
}

#[test]
fn every_reply_and_fault_parses() {
    for (name, file) in recordings("resp") {
        if name.contains("GET_sdk") {
            continue;
        }
        let envelope = Element::parse(body(&file)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let answer = &envelope.child("Body").unwrap().children[0];
        let method = answer.name.trim_end_matches("Response").to_owned();
        let parsed = parse_reply(&method, body(&file));
        if answer.name == "Fault" {
            let Err(ReplyError::Fault(fault)) = parsed else { panic!("{name}: no fault") };
            assert!(!fault.kind.is_empty() && !fault.kind.ends_with("Fault"), "{name}: {}", fault.kind);
        } else {
            parsed.unwrap_or_else(|e| panic!("{name}: {e}"));
        }
    }
}
