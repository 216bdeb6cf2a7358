"""Write archives in the newc cpio format, the one that kernels read as initramfs.

Owners, times and inode numbers come from the caller or are fixed, so the same input gives the same
bytes, and device nodes need no root.
"""


class Cpio:
    def __init__(self, out):
        self.out, self.at, self.ino = out, 0, 0

    def write(self, data):
        self.out.write(data)
        self.at += len(data)

    def pad(self, to=4):
        self.write(b"\0" * (-self.at % to))

    def add(self, path, mode, data=b"", rdev=(0, 0), owner=(0, 0), mtime=0, ino=None, links=0):
        """One entry. Names with one @ino and @links above one are hard links; the first has the data."""
        name = path.lstrip("/").encode() + b"\0"
        self.ino += 1
        links = links or (2 if mode & 0o170000 == 0o040000 else 1)
        head = [ino or self.ino, mode, *owner, links, mtime, len(data), 0, 0, *rdev, len(name), 0]
        self.write(b"070701" + b"".join(b"%08X" % v for v in head) + name)
        self.pad()
        self.write(data)
        self.pad()

    def finish(self):
        self.add("TRAILER!!!", 0)
        self.pad(512)
