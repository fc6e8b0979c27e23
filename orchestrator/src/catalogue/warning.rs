//! Warnings, which stop nothing: FB21.

use super::entries;

entries! {
    SOURCE_NOT_SHUT_DOWN "FB2101" Operator ["C4", "I2"] "the source machine could not be shut down before failover";
        "the site, vCenter or the guest does not answer"
        => "Keep the on-premises machine off; reprotect powers it off.";
    SPLIT_BRAIN "FB2102" Operator ["C19", "I2"] "both copies of the machine may be running";
        "the source outlived the failover"
        => "Power the on-premises machine off as soon as it can be reached; reprotect does so.";
    TOOLS_NOT_CHANGED "FB2103" Operator ["C5", "C16"] "VMware Tools could not be switched in the guest";
        "the guest did not answer in time"
        => "Disable them by hand in Azure, or enable them by hand on-premises.";
    NOT_GROUP_CONSISTENT "FB2104" Operator ["R4"] "the members of the replication group are at different times";
        "the latest point was chosen: each member went to its own newest point"
        => "Choose application-consistent the next time where the members must agree.";
    RPO_BREACH "FB2105" Wait ["R8"] "the recovery point objective is breached";
        "the link is slow or down",
        "the machine changes more than the link carries"
        => "Nothing stops; look at link, process server and master target.";
    ADDRESS_BY_DHCP "FB2106" Operator ["P38"] "the machine's address comes from DHCP";
        "a Linux machine loses its static address by failover and keeps DHCP after failback"
        => "Set the address by hand.";
    SOURCE_NOT_DRAINED "FB2107" Operator ["C4", "C16"] "the last changes of the source could not be replicated";
        "the source was gone before its agent could send them"
        => "Data written after the last recovery point is only on the source.";
    MT_KERNEL "FB2120" Operator ["P28"] "the master target malfunctions after a kernel update";
        "its system updates the kernel by itself"
        => "Run ApplyCustomChanges.sh on the master target, and turn automatic updates off.";
    OUT_OF_SUPPORT "FB2172" Operator ["P16"] "the version of the server is not supported any more";
        "it is more than four versions behind the configuration server (N-4)"
        => "Update the server; a master target never beyond the configuration server and the process servers.";
    MT_SMALL "FB2121" Operator ["P28"] "the Linux master target is smaller than it should be";
        "it has less than 6 GiB of memory, 4 cores, 100 GiB for its system or 1 TiB of retention"
        => "Give it what it lacks; with many machines it runs short.";
    MT_DISKS_LOST "FB2122" Operator ["P20", "P24"] "the master target has no access to disks of the machine";
        "their datastore is read-only, or out of the reach of the master target's host",
        "somebody detached them by hand"
        => "Mount the datastore read/write on that host, or attach the disks again; replication then goes on.";
    MT_DISKS_RESIZED "FB2170" Operator ["P37"] "a disk on the master target has another size than the machine's in Azure";
        "somebody extended its VMDK while it hung on the master target"
        => "A VMDK cannot be made smaller: make the machine's disk in Azure as large, then resynchronise; the recovery points remain.";
    RETENTION_LOW "FB2123" Operator ["P27"] "the retention volume of the master target is short of space";
        "more machines replicate home than it was made for",
        "others use the volume"
        => "Make room or use a larger volume: oldest recovery points go first, then mirroring stops.";
    CERTIFICATE_EXPIRES_SOON "FB2130" Operator ["P6"] "the certificate of the configuration server expires within two months";
        "it lives for three years, for one on servers set up before May 2016"
        => "Renew it in the portal before it expires.";
    AZURE_VM_GONE "FB2140" Operator ["P33"] "the Azure virtual machine no longer exists";
        "it was deleted after the reprotect"
        => "What it wrote after the last recovery point is lost. The points on the master target remain: look at what came home, then commit.";
    ADDED_DISK_STAYS "FB2141" Operator ["P37"] "a disk that was added in Azure does not come home";
        "it was attached to a Windows machine after the failover"
        => "Copy what it holds to a protected disk, or attach it to another machine; the commit does not delete it.";
    ADDED_DISK_RETURNS "FB2142" Operator ["P37"] "a disk that was added in Azure comes home as a new VMDK";
        "it was attached to a Linux machine after the failover, and cannot be left out"
        => "Make sure that the datastore has room for it; from now on it is protected like the others.";
    ADDED_DISK_LATE "FB1761" Operator ["P37"] "a disk that was added in Azure after the reprotect does not come home";
        "replication home covers the disks that the machine had when it began"
        => "Before the failback resynchronise a Linux machine, which brings the disk home; of a Windows machine copy what it holds to a protected disk. Afterwards attach it to another machine in Azure: the commit does not delete it.";
    DISK_LEFT_OUT "FB2180" Operator ["P37"] "a protected disk does not come home";
        "the reprotect was asked to leave it out"
        => "Nothing of it is deleted, in Azure or at home: attach its managed disk to another machine, or copy what it holds to a disk that comes home.";
    EXTRA_DISK "FB2155" Operator ["P21"] "a disk was not found at home, and comes back as an extra one";
        "disk.EnableUUID is not set on the virtual machine, so that its disks can only be guessed"
        => "Set disk.EnableUUID on the machine; the old file stays where it is, and may be deleted.";
    PS_BEHIND_VPN "FB2108" Operator ["P12"] "the process server for the way home is on-premises, behind a VPN";
        "without ExpressRoute the way to it is slow"
        => "Set up a process server in Azure's network and use that one.";
    PS_CPU "FB2110" Operator ["P14"] "the processors of the process server are busy";
        "too many machines, or too much change, for one process server"
        => "Move machines to another process server, or add processors.";
    PS_MEMORY "FB2111" Operator ["P14"] "the memory of the process server is used up";
        "too many machines for one process server"
        => "Move machines to another process server, or add memory.";
    PS_CACHE_LOW "FB2112" Operator ["P14"] "the cache of the process server is short of space";
        "what comes in does not go out as fast",
        "others fill the volume"
        => "Free the volume or widen the way out; below 20 % the sources are throttled, nothing is lost.";
    PS_UPLOAD_LATE "FB2113" Wait ["P14"] "what waits in the process server takes long to pass on";
        "its bandwidth is limited",
        "the target is slow"
        => "Raise the limit, or wait; the recovery point objective suffers.";
    PS_SERVICES "FB2114" Operator ["P13", "P14"] "services of the process server are stopped";
        "somebody stopped them",
        "they failed"
        => "Start the services and set them to start automatically.";
    ROWS_LEFT "FB2145" Operator ["C23", "P40"] "rows of the machine stay at the configuration server";
        "the machine was removed from the vault without cleaning up"
        => "Delete the stale rows at the configuration server before the machine is protected anew.";
    DISKS_LEFT "FB2146" Operator ["C23", "I4"] "disks of the machine are not given back to its virtual machine";
        "the machine was removed from the vault while its disks hung on a master target",
        "it was removed while a failback stood half-way: they may hang nowhere"
        => "Detach the disks from the master target, where they still hang on it, and attach them to their virtual machine by hand, before the machine is protected anew.";
}
