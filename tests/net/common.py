"""What the tests of the network on the host share: a guest at a line of ours, and what is reported."""
import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("LINNET_BUILD", "build")
LINUX_DRIVERS = ("net/core/failover", "drivers/net/net_failover", "drivers/virtio/virtio_pci_modern_dev",
                 "drivers/virtio/virtio_pci_legacy_dev", "drivers/virtio/virtio_pci", "drivers/net/virtio_net")
failures = []


def report(good, name, said=""):
    """One result line; what was seen when it failed."""
    print(f"{'ok' if good else 'not ok'} - {name}", flush=True)
    if not good:
        failures.append(name)
        for line in str(said).splitlines()[-30:]:
            print("# " + line, flush=True)


def guest_command(folder, command, *options):
    """A guest at the sockets FOLDER/qemu, its own, and FOLDER/ours, that runs @command."""
    return [ROOT + "/scripts/exec", command, "--smp", "2", "--net", "none", *options, "--", "-netdev",
            f"dgram,id=n0,local.type=unix,local.path={folder}/qemu,remote.type=unix,remote.path={folder}/ours",
            "-device", "virtio-net-pci,netdev=n0,romfile="]


def linux_parts(folder):
    """How to load the drivers of the card on the distribution's kernel, and options that boot it."""
    linux = subprocess.check_output([ROOT + "/scripts/fetch-linux"], text=True).strip()
    with open(folder + "/modules", "w") as f:
        f.write("dir /modules 755\n")
        for name in LINUX_DRIVERS:
            f.write(f"file /modules/{os.path.basename(name)}.ko 644 {linux}/modules/kernel/{name}.ko\n")
    subprocess.check_call([ROOT + "/scripts/mkinitramfs", folder + "/modules.cpio", "--list", folder + "/modules"])
    load = "".join(f"insmod /modules/{os.path.basename(name)}.ko\n" for name in LINUX_DRIVERS)
    return load, ["--kernel", linux + "/Image", "--append", "nokaslr quiet", "--initrd", f"{ROOT}/{BUILD}/initramfs.cpio.gz",
                  "--initrd", folder + "/modules.cpio"]


def user_program(folder, name):
    """An archive with a program of tests/user, as /tests/NAME."""
    musl = subprocess.check_output([ROOT + "/scripts/build-musl"], text=True).strip()
    subprocess.check_call([musl + "/bin/musl-gcc", "-static", "-O2", "-o", f"{folder}/{name}", f"{ROOT}/tests/user/{name}.c"])
    with open(folder + "/programs", "w") as f:
        f.write(f"dir /tests 755\nfile /tests/{name} 755 {folder}/{name}\n")
    subprocess.check_call([ROOT + "/scripts/mkinitramfs", f"{folder}/{name}.cpio", "--list", folder + "/programs"])
    return f"{folder}/{name}.cpio"
