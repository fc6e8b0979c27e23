//! Virtual machines: what is asked of them, and what comes of it.

use super::config::AzureConfig;
use super::model::{Effect, Key, Model, Plan, Power, Slot, Target, Vm, Volume, key};
use super::operations::{Asked, Begun};
use super::refusal::Refusal;
use failback_replication::disk::{BLOCK, Disk};
use failback_wire::arm::ResourceId;
use failback_wire::arm::compute::{
    CreationData, DISKS, NAMESPACE, SubResource, VIRTUAL_MACHINES, VirtualMachine, VmDisk,
};
use failback_wire::clock::VirtualMs;
use failback_wire::event::{Actor, DiskRef, What};
use serde_json::Map;
use std::collections::BTreeMap;
use std::time::Duration;

/// Most data disks a machine may have; the largest sizes take that many.
const MAX_DATA_DISKS: usize = 64;

/// What a PUT asks a machine's disks to be.
struct Wanted {
    os: Slot,
    data: BTreeMap<u32, Slot>,
}

fn vm_id(config: &AzureConfig, group: &str, name: &str) -> String {
    ResourceId::new(&config.subscription, group, NAMESPACE, VIRTUAL_MACHINES, name).to_string()
}

fn slot(disk: &VmDisk) -> Result<Slot, Refusal> {
    if !disk.create_option.eq_ignore_ascii_case("Attach") {
        let option = &disk.create_option;
        return Err(Refusal::bad(
            "InvalidParameter",
            format!("createOption '{option}' is not modelled: only Attach."),
        ));
    }
    let id = disk.managed_disk.as_ref().and_then(|d| ResourceId::parse(&d.id));
    let id = id.filter(|id| id.is("Microsoft.Compute/disks"));
    let id = id.ok_or_else(|| Refusal::bad("InvalidParameter", "A disk needs managedDisk.id."))?;
    let delete = disk.delete_option.as_deref().is_some_and(|o| o.eq_ignore_ascii_case("Delete"));
    Ok(Slot { disk: key(id.name()), delete })
}

fn wanted(document: &VirtualMachine) -> Result<Wanted, Refusal> {
    let storage = &document.properties.storage_profile;
    let os = storage.os_disk.as_ref();
    let os = os.ok_or_else(|| Refusal::bad("InvalidParameter", "Required parameter 'osDisk' is missing."))?;
    let mut data = BTreeMap::new();
    for disk in &storage.data_disks {
        let lun = disk.lun.ok_or_else(|| Refusal::bad("InvalidParameter", "A data disk needs a lun."))?;
        if data.insert(lun, slot(disk)?).is_some() {
            return Err(Refusal::bad("InvalidParameter", format!("Two data disks have lun {lun}.")));
        }
    }
    if data.len() > MAX_DATA_DISKS {
        let message = format!("At most {MAX_DATA_DISKS} data disks can be attached.");
        return Err(Refusal::conflict("OperationNotAllowed", message));
    }
    Ok(Wanted { os: slot(os)?, data })
}

impl Model {
    /// Creates a machine, or changes the data disks of one that exists. True when it is new.
    pub(super) fn put_vm(
        &mut self,
        config: &AzureConfig,
        asked: &Asked<'_>,
        (group, name): (&str, &str),
        document: VirtualMachine,
    ) -> Result<(Begun, bool), Refusal> {
        let target = Target::Vm(key(name));
        self.must_be_idle(&target, name)?;
        let wanted = wanted(&document)?;
        self.check_disks(&key(name), &wanted)?;
        let id = vm_id(config, group, name);
        if let Some(vm) = self.vms.get(&key(name)) {
            if vm.os.disk != wanted.os.disk {
                let message = "Changing property 'osDisk' is not allowed.";
                return Err(Refusal::conflict("PropertyChangeNotAllowed", message));
            }
            // A machine whose creation failed is created again.
            let failed = vm.failed.is_some() && vm.power != Power::Running;
            self.change_data_disks(&key(name), wanted, document, asked.by);
            let (plan, length) = match failed {
                true => (Plan::CreateVm, asked.timing.create_vm),
                false => (Plan::UpdateVm, asked.timing.update_vm),
            };
            return Ok((self.begin(asked, plan, target, id, length), false));
        }
        if let Some(denial) = self.denial {
            return Err(denial.refusal());
        }
        let card = self.wanted_card(&document)?;
        self.must_have_card(card.as_ref())?;
        let vm = Vm {
            name: name.to_owned(),
            known_as: self.guest_of(name),
            group: group.to_owned(),
            unique: self.guid(),
            document,
            os: wanted.os,
            data: wanted.data,
            card,
            power: Power::Stopped,
            hung: false,
            failed: None,
            created: asked.now,
        };
        self.insert_vm(vm, asked.by);
        Ok((self.begin(asked, Plan::CreateVm, target, id, asked.timing.create_vm), true))
    }

    /// The machine exists from now on and holds its disks.
    pub(super) fn insert_vm(&mut self, vm: Vm, by: Actor) {
        let (own, reference) = (key(&vm.name), vm.reference());
        let disks: Vec<Key> = vm.slots().map(|s| s.disk.clone()).collect();
        self.vms.insert(own.clone(), vm);
        self.emit(What::VmCreated { vm: reference.clone(), by });
        for disk in disks {
            self.hold(&disk, &own, reference.clone(), by);
        }
    }

    /// Every disk must exist, be ready, and be in nobody else's hands.
    fn check_disks(&self, own: &Key, wanted: &Wanted) -> Result<(), Refusal> {
        let mut seen = Vec::new();
        for slot in std::iter::once(&wanted.os).chain(wanted.data.values()) {
            let volume = self.disks.get(&slot.disk).ok_or_else(|| Refusal::not_found("disks", &slot.disk))?;
            let name = &volume.name;
            if !volume.ready || self.running(&Target::Disk(slot.disk.clone())).is_some() {
                return Err(Refusal::busy(name));
            }
            if let Some(owner) = volume.owner.as_ref().filter(|o| *o != own) {
                let message = format!("Disk '{name}' cannot be attached: it is owned by VM '{owner}'.");
                return Err(Refusal::conflict("ConflictingUserInput", message));
            }
            if volume.access.is_some() {
                let message = format!("Disk '{name}' has an active shared access signature.");
                return Err(Refusal::conflict("OperationNotAllowed", message));
            }
            if seen.contains(&&slot.disk) {
                return Err(Refusal::bad("InvalidParameter", format!("Disk '{name}' is named twice.")));
            }
            seen.push(&slot.disk);
        }
        Ok(())
    }

    fn change_data_disks(&mut self, own: &Key, wanted: Wanted, document: VirtualMachine, by: Actor) {
        let Some(vm) = self.vms.get_mut(own) else { return };
        vm.document = document;
        vm.os = wanted.os;
        let before = std::mem::replace(&mut vm.data, wanted.data);
        let (after, reference) = (vm.data.clone(), vm.reference());
        let held = |slots: &BTreeMap<u32, Slot>, slot: &Slot| slots.values().any(|s| s.disk == slot.disk);
        for slot in before.values().filter(|s| !held(&after, s)) {
            self.release(&slot.disk, reference.clone(), by);
        }
        for slot in after.values().filter(|s| !held(&before, s)) {
            self.hold(&slot.disk, own, reference.clone(), by);
        }
    }

    /// Starts, stops, deallocates or restarts a machine.
    pub(super) fn power_vm(
        &mut self,
        config: &AzureConfig,
        asked: &Asked<'_>,
        name: &str,
        plan: Plan,
    ) -> Result<Begun, Refusal> {
        let vm = self.vm(name)?;
        let (power, id) = (vm.power, vm_id(config, &vm.group, &vm.name));
        let target = Target::Vm(key(name));
        self.must_be_idle(&target, name)?;
        let timing = asked.timing;
        let length = match (&plan, power) {
            (Plan::StartVm, Power::Running) => Duration::ZERO,
            (Plan::RestartVm, Power::Running) => timing.restart,
            (Plan::RestartVm, Power::Stopped | Power::Deallocated) => {
                let message = format!("Cannot restart '{name}': it is not running.");
                return Err(Refusal::conflict("OperationNotAllowed", message));
            }
            (Plan::StopVm { deallocate: false, .. }, Power::Stopped | Power::Deallocated)
            | (Plan::StopVm { deallocate: true, .. }, Power::Deallocated) => Duration::ZERO,
            (Plan::StopVm { deallocate: true, .. }, Power::Running | Power::Stopped) => timing.deallocate,
            (Plan::StopVm { deallocate: false, .. }, Power::Running) => timing.stop,
            (Plan::StartVm, Power::Stopped | Power::Deallocated) => timing.start,
            (Plan::CreateVm | Plan::UpdateVm | Plan::DeleteVm, _)
            | (Plan::CreateVolume | Plan::DeleteVolume, _)
            | (Plan::GrantAccess { .. } | Plan::RevokeAccess, _) => {
                return Err(Refusal::bad("InvalidParameter", "Not a change of power."));
            }
        };
        Ok(self.begin(asked, plan, target, id, length))
    }

    /// Deletes a machine; its disks stay unless their `deleteOption` says otherwise.
    pub(super) fn delete_vm(
        &mut self,
        config: &AzureConfig,
        asked: &Asked<'_>,
        name: &str,
    ) -> Result<Begun, Refusal> {
        let Ok(vm) = self.vm(name) else { return Ok(Begun::Nothing) };
        self.must_be_unlocked(name)?;
        let id = vm_id(config, &vm.group, &vm.name);
        let target = Target::Vm(key(name));
        self.must_be_idle(&target, name)?;
        Ok(self.begin(asked, Plan::DeleteVm, target, id, asked.timing.delete_vm))
    }

    /// The machine is in another resource group from now on, and its disks with it.
    pub(super) fn move_vm(&mut self, name: &str, group: &str, by: Actor) -> Result<(), String> {
        let Some(vm) = self.vms.get_mut(&key(name)) else { return Ok(()) };
        if vm.group.eq_ignore_ascii_case(group) {
            return Err(format!("{name} is in {group} already"));
        }
        group.clone_into(&mut vm.group);
        let reference = vm.reference();
        let disks: Vec<Key> = vm.slots().map(|slot| slot.disk.clone()).collect();
        for disk in &disks {
            if let Some(volume) = self.disks.get_mut(disk) {
                group.clone_into(&mut volume.group);
            }
        }
        self.emit(What::VmChanged { vm: reference, change: format!("moves to the group {group}"), by });
        Ok(())
    }

    /// A new, empty disk is in the next free slot of the machine from now on.
    pub(super) fn add_disk(
        &mut self,
        config: &AzureConfig,
        name: &str,
        (bytes, volumes): (u64, &[String]),
        by: Actor,
    ) -> Result<(), String> {
        let own = key(name);
        let Some(vm) = self.vms.get(&own) else { return Ok(()) };
        let (reference, group) = (vm.reference(), vm.group.clone());
        let disk = (0..).map(|n| format!("{}-added{n}", vm.name)).find(|d| !self.disks.contains_key(&key(d)));
        let disk = disk.unwrap_or_default();
        if bytes == 0 || !bytes.is_multiple_of(BLOCK as u64) {
            return Err(format!("{disk} cannot be {bytes} bytes large"));
        }
        let content = Disk::new(bytes / BLOCK as u64);
        let volume = Volume {
            name: disk.clone(),
            group: group.clone(),
            location: config.location.clone(),
            unique: self.guid(),
            content: content.clone(),
            creation: CreationData { create_option: "Empty".to_owned(), ..CreationData::default() },
            os_type: None,
            incremental: None,
            tags: BTreeMap::new(),
            extra: Map::new(),
            ready: true,
            owner: None,
            access: None,
            created: VirtualMs::default(),
        };
        self.disks.insert(key(&disk), volume);
        self.emit(What::DiskCreated { disk: DiskRef::Managed(disk.clone()), by });
        self.put_on(config, &disk, &own, by);
        self.out.push(Effect::AddDisk(reference, content, volumes.to_vec()));
        Ok(())
    }

    /// Attaches a disk that is there to the next free place of a machine that is there.
    fn put_on(&mut self, config: &AzureConfig, disk: &str, own: &Key, by: Actor) {
        let group = self.disks.get(&key(disk)).map(|volume| volume.group.clone()).unwrap_or_default();
        let id = ResourceId::new(&config.subscription, &group, NAMESPACE, DISKS, disk).to_string();
        let Some(vm) = self.vms.get_mut(own) else { return };
        let lun = vm.data.keys().next_back().map_or(0, |last| last + 1);
        vm.data.insert(lun, Slot { disk: key(disk), delete: false });
        vm.document.properties.storage_profile.data_disks.push(VmDisk {
            lun: Some(lun),
            name: Some(disk.to_owned()),
            create_option: "Attach".to_owned(),
            managed_disk: Some(SubResource { id, ..SubResource::default() }),
            ..VmDisk::default()
        });
        let reference = vm.reference();
        self.hold(&key(disk), own, reference, by);
    }

    /// Takes a data disk from whichever machine has it and attaches it to another one.
    pub(super) fn attach_disk(
        &mut self,
        config: &AzureConfig,
        disk: &str,
        name: &str,
        by: Actor,
    ) -> Result<(), String> {
        let (own, slot) = (key(name), key(disk));
        self.vm(name).map_err(|refusal| refusal.to_string())?;
        let Some(volume) = self.disks.get(&slot) else { return Err(format!("there is no disk {disk}")) };
        let (disk, owner) = (volume.name.clone(), volume.owner.clone());
        if owner.as_ref() == Some(&own) {
            return Err(format!("{name} has {disk} already"));
        }
        if let Some(vm) = owner.and_then(|owner| self.vms.get_mut(&owner)) {
            if vm.os.disk == slot {
                return Err(format!("{} boots from {disk}", vm.name));
            }
            vm.data.retain(|_, held| held.disk != slot);
            let is_it = |held: &VmDisk| held.name.as_deref().is_some_and(|held| key(held) == slot);
            vm.document.properties.storage_profile.data_disks.retain(|held| !is_it(held));
            let reference = vm.reference();
            self.release(&slot, reference, by);
        }
        self.put_on(config, &disk, &own, by);
        Ok(())
    }

    /// No lock forbids to delete `name`.
    pub(super) fn must_be_unlocked(&self, name: &str) -> Result<(), Refusal> {
        if !self.delete_lock {
            return Ok(());
        }
        let message = format!("The scope '{name}' cannot perform delete operation because it is locked.");
        Err(Refusal::conflict("ScopeLocked", message))
    }

    /// The machine is gone: its guest, its hold on its disks, and those disks that go with it.
    pub(super) fn remove_vm(&mut self, own: &Key, by: Actor) {
        self.power_down(own, Power::Stopped, by);
        let Some(vm) = self.vms.remove(own) else { return };
        let reference = vm.reference();
        for slot in vm.slots() {
            self.release(&slot.disk, reference.clone(), by);
        }
        self.emit(What::VmDeleted { vm: reference, by });
        for slot in vm.slots().filter(|s| s.delete) {
            if let Some(volume) = self.disks.remove(&slot.disk) {
                self.emit(What::DiskDeleted { disk: DiskRef::Managed(volume.name), by });
            }
        }
    }
}
