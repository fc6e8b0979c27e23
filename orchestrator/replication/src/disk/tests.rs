//! Pages that share memory.

use super::*;

#[test]
fn a_disk_grows_and_never_shrinks() {
    let disk = Disk::new(300);
    disk.write(299, Page::new(&[1; BLOCK]));
    let (before, fork) = (disk.root_hash(), disk.fork());
    assert!(!disk.grow(300) && !disk.grow(299));
    assert_eq!((disk.blocks(), disk.root_hash()), (300, before));
    assert!(disk.grow(600));
    assert_eq!(disk.read(299), Page::new(&[1; BLOCK]));
    disk.write(599, Page::new(&[2; BLOCK]));
    assert_ne!(disk.root_hash(), before);
    assert_eq!((fork.blocks(), fork.root_hash()), (300, before), "copies keep their size");
}

#[test]
fn pages_are_joined_whatever_memory_they_lie_in() {
    let block = |fill: u8| [fill; BLOCK];
    let message = Bytes::from([block(1), block(2), block(3), block(0), block(5)].concat());
    let pages: Vec<Page> = Page::all_of(&message).collect();
    let short = Page::all_of(&message.slice(..BLOCK)).next().unwrap();
    let apart = [Page::new(&block(7)), Page::new(&block(8))];
    let bytes = |pages: &[Page]| pages.iter().flat_map(|page| page.bytes().to_vec()).collect::<Vec<u8>>();
    let shared = |pages: &[Page]| message.as_ptr_range().contains(&Page::joined(pages).as_ptr());
    let table: [(&[Page], bool); 8] = [
        (&pages[..3], true),
        (&pages[1..3], true),
        (&pages[4..], true),
        (&pages, false), // zeros lie elsewhere
        (&[pages[1].clone(), pages[0].clone()], false),
        (&[short, pages[1].clone()], false), // of the same memory, but only a part of it
        (&apart, false),
        (&[pages[0].clone(), apart[0].clone()], false),
    ];
    for (pages, without_copying) in table {
        assert_eq!(Page::joined(pages), bytes(pages));
        assert_eq!(shared(pages), without_copying, "{pages:?}");
    }
    assert!(Page::joined(&[]).is_empty());
}
