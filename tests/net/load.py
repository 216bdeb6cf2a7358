"""Many clients of a web server at once: what they asked for, and what was answered as it should."""
import asyncio
import hashlib
import re
import resource

PATIENCE = 600


class Load:
    """@clients at once, each with @requests of the page whose SHA-256 is @digest.

    With @keep a client asks all on one connection, else it has one for each.
    """

    def __init__(self, address, digest, clients, requests, keep):
        self.address, self.digest, self.keep = address, digest, keep
        self.clients, self.requests, self.right, self.connections, self.wrong = clients, requests, 0, 0, []

    async def ask(self, reader, writer, last):
        """One request; its answer must be the page, and the end of the connection when it is the @last."""
        writer.write(b"GET /page HTTP/1.1\r\nHost: guest\r\n" + (b"Connection: close\r\n" if last else b"") + b"\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.I)
        body = await reader.readexactly(int(length[1]) if length else 0)
        more = await reader.read() if last else b""
        if head.startswith(b"HTTP/1.1 200 ") and hashlib.sha256(body).hexdigest() == self.digest and not more:
            self.right += 1
        else:
            self.wrong.append(head.decode(errors="replace"))

    async def connection(self, requests):
        reader, writer = await asyncio.open_connection(*self.address)
        self.connections += 1
        try:
            for n in range(requests):
                await self.ask(reader, writer, n == requests - 1)
        finally:
            writer.close()

    async def client(self):
        try:
            for _ in range(1 if self.keep else self.requests):
                await self.connection(self.requests if self.keep else 1)
        except (OSError, EOFError) as why:
            self.wrong.append(repr(why))

    async def all(self):
        await asyncio.wait_for(asyncio.gather(*(self.client() for _ in range(self.clients))), PATIENCE)

    def run(self):
        """What came of it, in a line."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        try:
            asyncio.run(self.all())
        except asyncio.TimeoutError:
            self.wrong.append("it took too long")
        return f"{self.right} right on {self.connections} connections, wrong: {self.wrong[:3]}"
