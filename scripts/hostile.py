"""What hostile clients cost a node: each attack against a release daemon, beside one client that means well.

Prints a row an attack: what was sent, the node's memory before, at its peak and after, and the 99th percentile of the
other client's linearizable lookups before and meanwhile. Everything is written by hand on plain sockets: no client
library sends such things. Needs nothing but the daemon: `make hostile`, or `hostile.py BINARY [ATTACK ..]`.
"""

import multiprocessing
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 8, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1
ATTACK_S = 15


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    return bytes([0, len(name)]) + name + bytes([len(value)]) + value


def block(path, more=b""):
    known = b"\x83\x86" + literal(b":path", path) + literal(b":authority", b"test")
    return known + literal(b"content-type", b"application/grpc") + literal(b"te", b"trailers") + more


def varint(number):
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def message(body):
    return b"\0" + struct.pack(">I", len(body)) + body


class Connection:
    """A connection whose windows are as large as can be; what is not read lies where it is."""

    def __init__(self, port, greeting=True, window=True):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream, self.buffer, self.credit = 1, b"", 65535
        self.incoming = self.frames()
        if greeting:
            settings = struct.pack(">HI", 4, 0x7FFFFFFF) if window else b""
            self.socket.sendall(GREETING + frame(SETTINGS, 0, 0, settings))
            if window:
                self.socket.sendall(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 0x7FFFFFFF - 65535)))

    def call(self, path, body=None, end=True):
        stream, self.stream = self.stream, self.stream + 2
        data = frame(HEADERS, END_HEADERS, stream, block(path))
        if body is not None:
            pieces = [body[at : at + 16384] for at in range(0, len(body), 16384)]
            for at, piece in enumerate(pieces):
                last = END_STREAM if end and at + 1 == len(pieces) else 0
                data += frame(DATA, last, stream, piece)
        self.socket.sendall(data)
        return stream

    def frames(self):
        while True:
            while len(self.buffer) >= 9:
                size = int.from_bytes(self.buffer[:3], "big")
                if len(self.buffer) < 9 + size:
                    break
                kind, flags, stream = self.buffer[3], self.buffer[4], int.from_bytes(self.buffer[5:9], "big")
                payload, self.buffer = self.buffer[9 : 9 + size], self.buffer[9 + size :]
                if kind == SETTINGS and not flags & ACK:
                    self.socket.sendall(frame(SETTINGS, ACK, 0))
                if kind == PING and not flags & ACK:
                    self.socket.sendall(frame(PING, ACK, 0, payload))
                if kind == DATA and payload:
                    self.socket.sendall(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", len(payload))))
                yield kind, flags, stream, payload
            more = self.socket.recv(1 << 16)
            if not more:
                return
            self.buffer += more

    def pay(self, size):
        """Waits until the node wants so much more: what is sent beyond that ends a connection."""
        self.socket.settimeout(1)
        while self.credit < size:
            kind, _, stream, payload = next(self.incoming)
            if kind == WINDOW_UPDATE and stream == 0:
                self.credit += struct.unpack(">I", payload)[0]
        self.credit -= size

    def answer(self, path, body):
        """The first message of an answer."""
        stream, got, kinds = self.call(path, message(body)), b"", []
        for kind, flags, of, payload in self.frames():
            if of == stream:
                kinds.append(kind)
                got += payload if kind == DATA else b""
                if kind == RST or flags & END_STREAM and kind in (DATA, HEADERS):
                    return got[5:] if got else None
        return None


def serve(port, latencies, stop):
    """Means well: looks somebody up, a hundred times a second, and says how long it took."""
    connection = Connection(port)
    while not stop.is_set():
        begun = time.monotonic()
        answer = connection.answer(b"/keeper.v1.Sessions/Lookup", field(5, b"everywhere"))
        took = time.monotonic() - begun
        latencies.put((begun, took if answer else -1.0))
        time.sleep(0.01)


class Node:
    def __init__(self, binary):
        self.folder = tempfile.TemporaryDirectory()
        held = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
        self.client, self.peer, self.http = [it.getsockname()[1] for it in held]
        for it in held:
            it.close()
        path = pathlib.Path(self.folder.name)
        listen = "".join(f'{name} = "127.0.0.1:{port}"\n' for name, port in self.ports().items())
        text = f'cluster = "test"\nnode_id = 1\ndata_dir = "{path}/data"\n[listen]\n{listen}'
        (path / "keeper.toml").write_text(text)
        log = open(path / "log", "wb")
        arguments = [binary, "start", "--config", str(path / "keeper.toml")]
        self.process = subprocess.Popen(arguments, stdout=log, stderr=log)
        found = [binary, "init", "--endpoint", f"http://127.0.0.1:{self.client}", "--fresh"]
        found += ["--member", f"1=127.0.0.1:{self.peer},127.0.0.1:{self.client}"]
        while subprocess.run(found, capture_output=True).returncode:
            time.sleep(0.2)
        self.populate()

    def ports(self):
        return {"client": self.client, "peer": self.peer, "http": self.http}

    def populate(self):
        """A user with sixteen sessions of half a kilobyte."""
        connection = Connection(self.client)
        opened = None
        while not opened:
            request = field(1, b"room") + field(2, b"a") + field(8, 600_000)
            opened = connection.answer(b"/keeper.v1.Instances/Open", request)
            time.sleep(0.2)
        # Of the reply: the incarnation (1) and the state id, which is the one fixed64.
        incarnation, state = 0, b""
        while opened:
            key, opened = opened[0], opened[1:]
            if key & 7 == 1:
                state, opened = opened[:8], opened[8:]
            elif key & 7 == 0:
                number, shift = 0, 0
                while True:
                    byte, opened = opened[0], opened[1:]
                    number, shift = number | (byte & 127) << shift, shift + 7
                    if byte < 128:
                        break
                incarnation = number if key >> 3 == 1 else incarnation
            else:
                size = opened[0]
                opened = opened[1 + size :]
        operations = b""
        for slot in range(16):
            key = field(1, b"everywhere") + field(2, str(slot).encode())
            topics = b"".join(field(4, f"{topic:060}".encode()) for topic in range(8))
            operations += field(5, field(1, field(1, key) + topics))
        write = b"\x09" + state + field(2, incarnation) + field(3, 1) + operations
        assert connection.answer(b"/keeper.v1.Sessions/Write", write), "nobody was registered"
        found = connection.answer(b"/keeper.v1.Sessions/Lookup", field(5, b"everywhere"))
        assert found and len(found) > 4_000, found

    def memory_mib(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) // 1024
        return 0

    def files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self.folder.cleanup()


LARGE = message(field(5, b"everywhere") * 400)


def until(deadline, pieces, connection):
    """Sends pieces until the time is over or the node takes no more."""
    connection.socket.settimeout(1)
    sent = 0
    try:
        for piece in pieces:
            if time.monotonic() > deadline:
                break
            connection.socket.sendall(piece)
            sent += len(piece)
    except OSError:
        pass
    return sent


def unread(node, times, calls):
    """Asks on ten connections and reads nothing. What the node no longer takes is not sent again."""
    kept = []
    for _ in range(10):
        connection = Connection(node.client)
        connection.socket.settimeout(2)
        kept.append(connection)
        try:
            for _ in range(times):
                for path, body, end in calls:
                    connection.call(path, body, end=end)
        except OSError:
            pass
    return kept


def unread_calls(node, deadline):
    kept = unread(node, 600, [(b"/keeper.v1.Sessions/Lookup", LARGE, True)])
    return kept, "10 connections, 600 lookups of 3 MB each, nothing read"


def unread_streams(node, deadline):
    calls = [
        (b"/keeper.v1.Sessions/Read", LARGE * 3, False),
        (b"/keeper.v1.Sessions/Scan", message(b""), True),
        (b"/keeper.v1.Sessions/Presence", message(b""), True),
        (b"/keeper.v1.Sessions/List", message(field(2, 1000)), True),
    ]
    kept = unread(node, 100, calls)
    return kept, "10 connections, 400 streams each (read, scan, presence, list), nothing read"


def parts(node, deadline):
    kept = []
    for _ in range(4):
        connection = Connection(node.client)
        kept.append(connection)
        begin = b"\0" + struct.pack(">I", 4 << 20)
        try:
            for _ in range(200):
                stream, connection.stream = connection.stream, connection.stream + 2
                connection.socket.sendall(frame(HEADERS, END_HEADERS, stream, block(b"/keeper.v1.Configs/Publish")))
                for piece in [begin] + [b"x" * 16384] * 60:
                    connection.pay(len(piece))
                    connection.socket.sendall(frame(DATA, 0, stream, piece))
        except OSError:
            pass
    return kept, "4 connections, 200 publishes each that begin with 1 MB of 4"


def future(node, deadline):
    kept = []
    request = message(field(2, 3) + field(3, (1 << 63) - 1) + field(5, b"everywhere") * 1024)
    while time.monotonic() < deadline:
        connection = Connection(node.client)
        connection.socket.settimeout(2)
        kept.append(connection)
        try:
            for _ in range(500):
                connection.call(b"/keeper.v1.Sessions/Lookup", request)
        except OSError:
            pass
        if len(kept) == 10:
            break
    return kept, f"{len(kept)} connections, 500 lookups each at a revision that never comes"


def flood(port_of, pieces, what):
    def attack(node, deadline):
        port, total, connections = getattr(node, port_of), 0, 0
        while time.monotonic() < deadline:
            connection = Connection(port)
            total += until(deadline, pieces(), connection)
            connection.socket.close()
            connections += 1
        return [], f"{what}: {total >> 20} MiB on {connections} connections, {port_of} port"

    return attack


def resets():
    for at in range(100_000):
        stream = 2 * at + 1
        head = frame(HEADERS, END_HEADERS, stream, block(b"/keeper.v1.Sessions/Lookup"))
        yield head + frame(RST, 0, stream, b"\0\0\0\x08")


def pings():
    while True:
        yield frame(PING, 0, 0, b"whatever") * 1000


def settings():
    while True:
        yield frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 65535)) * 1000


def continuations():
    yield frame(HEADERS, 0, 1, block(b"/keeper.v1.Cluster/Status"))
    while True:
        yield frame(CONTINUATION, 0, 1, literal(b"x-more", b"v" * 100) * 100)


def headers():
    for at in range(10_000):
        more = b"".join(literal(f"x-{name}".encode(), b"v" * 100) for name in range(140))
        yield frame(HEADERS, END_HEADERS | END_STREAM, 2 * at + 1, block(b"/keeper.v1.Cluster/Status", more)[:16384])


def idle(node, deadline):
    kept = []
    for _ in range(10_000):
        try:
            kept.append(Connection(node.client, window=False))
        except OSError:
            break
    return kept, f"{len(kept)} connections that greet and say nothing more"


def half_open(node, deadline):
    kept = []
    for port in (node.client, node.peer, node.http):
        for _ in range(1_500):
            connection = Connection(port, greeting=False)
            connection.socket.sendall(b"PRI * HT")
            kept.append(connection)
    return kept, f"{len(kept)} connections with half a greeting, on all three ports"


def churn(node, deadline):
    made = 0
    while time.monotonic() < deadline:
        for port in (node.client, node.peer, node.http):
            connection = Connection(port)
            connection.socket.close()
            made += 1
    return [], f"{made} connections made and dropped, on all three ports"


ATTACKS = {
    "unread calls": unread_calls,
    "unread streams": unread_streams,
    "messages in part": parts,
    "lookups of the future": future,
    "rapid reset": flood("client", resets, "streams reset at once"),
    "rapid reset, peers": flood("peer", resets, "streams reset at once"),
    "ping flood": flood("client", pings, "pings, answers not read"),
    "settings flood": flood("client", settings, "settings, answers not read"),
    "continuation flood": flood("client", continuations, "headers that never end"),
    "huge headers": flood("client", headers, "16 KB of headers a call"),
    "idle connections": idle,
    "half-open connections": half_open,
    "connection churn": churn,
}


def percentile(latencies, begun, ended):
    taken = sorted(took for at, took in latencies if begun <= at < ended and took >= 0)
    failed = sum(1 for at, took in latencies if begun <= at < ended and took < 0)
    if not taken:
        return "none served"
    text = f"{taken[min(len(taken) - 1, len(taken) * 99 // 100)] * 1000:.1f} ms"
    return text + (f", {failed} refused" if failed else "")


def run(node, name, attack):
    latencies, stop = multiprocessing.Queue(), multiprocessing.Event()
    well = multiprocessing.Process(target=serve, args=(node.client, latencies, stop), daemon=True)
    well.start()
    time.sleep(3)
    before, files, begun = node.memory_mib(), node.files(), time.monotonic()
    told, teller = multiprocessing.Pipe()
    hostile = multiprocessing.Process(target=assault, args=(node, attack, begun + ATTACK_S, teller), daemon=True)
    hostile.start()
    peak = before
    while time.monotonic() < begun + ATTACK_S or not told.poll():
        peak = max(peak, node.memory_mib())
        time.sleep(0.05)
    sent, ended = told.recv(), time.monotonic()
    hostile.terminate()
    hostile.join()
    seen = []
    deadline = time.monotonic() + 60
    while node.files() > files + 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    after, left = node.memory_mib(), node.files() - files
    stop.set()
    while well.is_alive() or not latencies.empty():
        try:
            seen.append(latencies.get(timeout=0.2))
        except Exception:
            pass
    well.join()
    quiet, meanwhile = percentile(seen, begun - 2, begun), percentile(seen, begun, ended)
    files_left = "" if left <= 2 else f", {left} files left"
    print(f"| {name} | {sent} | {before} / {peak} / {after}{files_left} | {quiet} / {meanwhile} |", flush=True)


def assault(node, attack, deadline, teller):
    kept, sent = attack(node, deadline)
    time.sleep(max(0.0, deadline - time.monotonic()))
    teller.send(sent)
    # Kept until this process is ended.
    time.sleep(600)
    del kept


def main():
    binary, wanted = sys.argv[1], sys.argv[2:] or list(ATTACKS)
    for unknown in set(wanted) - set(ATTACKS):
        sys.exit(f"{unknown} is no attack: they are {', '.join(ATTACKS)}")
    print("| Attack | What was sent | Memory before / peak / after, MiB | Other clients' p99 before / meanwhile |")
    print("|---|---|---|---|")
    for name in wanted:
        node = Node(binary)
        try:
            run(node, name, ATTACKS[name])
        finally:
            node.end()


if __name__ == "__main__":
    import resource

    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    main()
