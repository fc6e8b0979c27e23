//! The codec against hand-made and recorded envelopes.

use super::*;
use proptest::prelude::*;

const SOAP_NS: &str = "http://schemas.xmlsoap.org/soap/envelope/";

fn call(open: &str) -> Vec<u8> {
    format!("<e:Envelope xmlns:e=\"{SOAP_NS}\"><e:Body>{open}</e:Body></e:Envelope>").into_bytes()
}

#[test]
fn prefixes_do_not_matter_namespaces_do() {
    let plain = call("<A xmlns=\"urn:vim25\"><_this type=\"T\">x</_this><b>1</b></A>");
    let odd = call(
        "<v:A xmlns:v='urn:vim25' xmlns:q='http://www.w3.org/2001/XMLSchema-instance' \
         xmlns:s='http://www.w3.org/2001/XMLSchema'><v:_this versionId='8' type='T'>x</v:_this>\
         <v:b q:type='s:int'>1</v:b></v:A>",
    );
    let (plain, odd) = (VimRequest::parse(&plain).unwrap(), VimRequest::parse(&odd).unwrap());
    assert_eq!(plain.this, odd.this);
    assert_eq!(plain.args[0].text, odd.args[0].text);
    assert_eq!(odd.args[0].xsi_type.as_deref(), Some("xsd:int"));
    let foreign = call("<A xmlns=\"http://example.org\"><_this type=\"T\">x</_this></A>");
    assert!(matches!(VimRequest::parse(&foreign), Err(XmlError::Shape(_))));
    assert!(matches!(VimRequest::parse(&call("<A xmlns=\"urn:vim25\"/>")), Err(XmlError::Shape(_))));
}

#[test]
fn bombs_and_monsters_are_refused() {
    let bomb = b"<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><x>&b;</x>";
    assert_eq!(Element::parse(bomb), Err(XmlError::Forbidden));
    assert_eq!(Element::parse(b"<x>&secret;</x>"), Err(XmlError::Forbidden));
    let deep = "<x>".repeat(500);
    assert!(matches!(Element::parse(deep.as_bytes()), Err(XmlError::TooLarge(_))));
    let wide: String = (0..40).map(|n| format!(" a{n}='x'")).collect();
    assert_eq!(Element::parse(format!("<x{wide}/>").as_bytes()), Err(XmlError::TooLarge("32 attributes")));
    assert!(matches!(Element::parse(b"<x a='1' b='2' a='3'/>"), Err(XmlError::Malformed(_))));
    let long = vec![b' '; (32 << 20) + 1];
    assert!(matches!(Element::parse(&long), Err(XmlError::TooLarge(_))));
    for broken in ["", "text", "<a>", "<a></b>", "<a/><b/>", "<a", "</a>", "<a b></a>", "\u{0}"] {
        assert!(Element::parse(broken.as_bytes()).is_err(), "{broken:?}");
    }
}

#[test]
fn text_survives_whatever_is_in_it() {
    let text = "a<b>&\"c'\u{e9}  \n";
    let request = VimRequest::new("M", MoRef::new("T", "x")).arg(Element::leaf("t", text).attr("q", "<\">&"));
    let read = VimRequest::parse(&request.encode()).unwrap();
    assert_eq!(read, request);
    let numeric = Element::parse(b"<a>&#65;&#x42;&lt;<![CDATA[<&]]></a>").unwrap();
    assert_eq!(numeric.text, "AB<<&");
}

#[test]
fn a_fault_names_its_type_twice() {
    let fault = Fault::new("InvalidPowerState", "no").with(Element::leaf("existingState", "poweredOff"));
    let bytes = reply("PowerOnVM_Task", Err(fault.clone()));
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(text.contains("<InvalidPowerStateFault xmlns=\"urn:vim25\" xsi:type=\"InvalidPowerState\">"));
    assert!(text.contains("<faultcode>ServerFaultCode</faultcode>"));
    assert_eq!(parse_reply("PowerOnVM_Task", &bytes), Err(ReplyError::Fault(fault.clone())));
    assert_eq!(Fault::read_localized(&fault.localized("error")), Ok(fault.clone()));
    let as_value = fault.value().any("error");
    assert_eq!(Fault::read_localized(&as_value), Ok(fault));
    let bare = call(&format!("<f:Fault xmlns:f=\"{SOAP_NS}\"><faultstring>why</faultstring></f:Fault>"));
    assert_eq!(parse_reply("M", &bare), Err(ReplyError::Fault(Fault::new("RuntimeFault", "why"))));
}

#[test]
fn a_reply_answers_the_method_that_was_called() {
    let bytes = reply("A", Ok(vec![Element::leaf("returnval", "1"), Element::leaf("returnval", "2")]));
    assert_eq!(parse_reply("A", &bytes).unwrap().len(), 2);
    assert!(matches!(parse_reply("B", &bytes), Err(ReplyError::Garbled(_))));
    assert!(matches!(parse_reply("A", &bytes[..bytes.len() - 9]), Err(ReplyError::Garbled(_))));
    let empty = String::from_utf8(reply("Logout", Ok(Vec::new()))).unwrap();
    assert!(empty.contains("<LogoutResponse xmlns=\"urn:vim25\"></LogoutResponse>"));
}

#[test]
fn values_name_their_types_where_the_schema_does_not() {
    let disk = Obj::narrow("VirtualDisk").set("key", 2000).set("capacityInKB", 5_i64);
    let hardware = Obj::new("VirtualHardware").set("device", Value::objects("VirtualDevice", [disk]));
    let config = Obj::new("Config")
        .set("hardware", hardware)
        .set("extra", Obj::narrow("OptionValue").set("value", Value::any_of("x")));
    let declared = |kind: &str, name: &str| (kind, name) == ("Config", "note");
    let found = |path: &str| config.lookup(path, &declared);
    let Lookup::Found(devices) = found("hardware.device") else { panic!("no devices") };
    let element = devices.any("val");
    assert_eq!(element.xsi_type.as_deref(), Some("ArrayOfVirtualDevice"));
    assert_eq!(element.children[0].name, "VirtualDevice");
    assert_eq!(element.children[0].xsi_type.as_deref(), Some("VirtualDisk"));
    assert_eq!(element.children[0].children[0].xsi_type, None);
    assert!(matches!(found("hardware.device[2000]"), Lookup::Found(Value::Obj(_))));
    assert_eq!(found("hardware.device[2001]"), Lookup::Unset);
    assert_eq!(found("note"), Lookup::Unset);
    assert_eq!(found("nothing"), Lookup::Invalid);
    assert_eq!(found("hardware.device.key"), Lookup::Invalid);
    let whole = Value::from(config.clone()).any("val");
    assert_eq!(whole.at("extra.value").unwrap().xsi_type.as_deref(), Some("xsd:string"));
    assert_eq!(whole.at("hardware.device").unwrap().xsi_type.as_deref(), Some("VirtualDisk"));
    assert_eq!(whole.at("hardware").unwrap().xsi_type, None);
    let refs = Value::refs([MoRef::new("Datastore", "ds-1")]).any("val");
    assert_eq!(refs.xsi_type.as_deref(), Some("ArrayOfManagedObjectReference"));
    assert_eq!(refs.children[0].attribute("type"), Some("Datastore"));
    assert_eq!(Value::List("string", vec!["a".into()]).any("v").xsi_type.as_deref(), Some("ArrayOfString"));
}

#[test]
fn specs_survive_a_round_trip() {
    let spec = VmConfigSpec {
        change_version: Some("3".into()),
        name: Some("n".into()),
        uuid: Some("u".into()),
        instance_uuid: Some("i".into()),
        guest_id: Some("g".into()),
        vm_path: Some("[ds]".into()),
        cpus: Some(2),
        memory_mb: Some(4096),
        devices: vec![DeviceChange {
            op: DeviceOp::Add,
            file_op: Some(FileOp::Create),
            device: DeviceSpec {
                kind: "VirtualDisk".into(),
                key: -1,
                backing: Some("VirtualDiskFlatVer2BackingInfo".into()),
                file: Some("[ds] a/b.vmdk".into()),
                mode: Some("persistent".into()),
                controller: Some(1000),
                unit: Some(0),
                capacity_kb: Some(1024),
                bus: None,
            },
        }],
        extra: vec![("k".into(), "v".into())],
    };
    assert_eq!(VmConfigSpec::read(&spec.element("spec")), Ok(spec.clone()));
    let names: Vec<String> = spec.element("spec").children.into_iter().map(|c| c.name.into_owned()).collect();
    // The order of the WSDL.
    let order = [
        "changeVersion",
        "name",
        "uuid",
        "instanceUuid",
        "guestId",
        "files",
        "numCPUs",
        "memoryMB",
        "deviceChange",
    ];
    assert_eq!(names[..9], order);
    assert!(TaskInfo::read("elsewhere", None, None).is_err());
    assert_eq!(TaskInfo::read("queued", None, None), Ok(TaskInfo::Queued));
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Element::parse(&bytes);
        let _ = VimRequest::parse(&bytes);
        let _ = parse_reply("M", &bytes);
    }

    #[test]
    fn no_cut_makes_the_parser_accept_a_fragment(cut in 1_usize..200) {
        let whole = VimRequest::new("M", MoRef::new("T", "x")).arg(Element::leaf("a", "b")).encode();
        let cut = cut.min(whole.len() - 1);
        prop_assert!(VimRequest::parse(&whole[..whole.len() - cut]).is_err());
    }
}
