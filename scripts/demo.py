"""The demo: three Keeper nodes, a room and 1,000 real WebSocket connections survive the death of the leader.

`make demo` runs it, `make demo-stop` ends one that was left running. Each step shows what was typed and what came back,
and fails loudly when it did not hold. On a terminal the cluster stays up for playing until Ctrl-C; otherwise, or with
DEMO_EXIT=1, the demo ends after its last step. DEMO_DEVICES changes the number of connections.
"""

import json
import os
import re
import signal
import sys
import threading
import time

from stage import (
    BINARIES, Ctl, Failed, PIDS, Process, STAGE, alive, bold, dim, http, indent, record_self, require_binaries,
    require_free, say, stop_recorded, strike, until,
)

NODES = (1, 2, 3)
DEVICES = int(os.environ.get("DEMO_DEVICES", "1000"))
USER = "user-00042"
DOCUMENT = "push/room.toml"
# Below the range systems take for outgoing connections.
ROOM_PORT, INBOX_PORT = 17500, 17501
ROOM_TOML = """\
# How rooms treat their devices. Rooms follow this document live.
greeting = "welcome"          # said once a device can be found
max_message_bytes = 4096
idle_timeout_ms = 60000
topics = ["news"]
"""


def port(node, offset):
    return 17400 + 10 * node + offset


def client(node):
    return f"127.0.0.1:{port(node, 0)}"


class Demo:
    def __init__(self):
        self.steps = 0
        self.finished = False
        self.ctl = Ctl([f"http://{client(node)}" for node in NODES])
        self.nodes = {node: Process(
            f"node {node}", [str(BINARIES / "keeper"), "start", "--config", str(STAGE / f"node-{node}.toml")],
            STAGE / f"node-{node}.log") for node in NODES}
        self.room = Process("the room", [
            str(BINARIES / "keeper-room"), "--endpoints", ",".join(client(node) for node in NODES),
            "--listen", f"127.0.0.1:{ROOM_PORT}", "--inbox", f"127.0.0.1:{INBOX_PORT}", "--config", DOCUMENT,
        ], STAGE / "room.log", {"NO_COLOR": "1"})
        self.devices = Process("the devices", [
            str(BINARIES / "keeper-room-clients"), "--room", f"127.0.0.1:{ROOM_PORT}", "--devices", str(DEVICES),
        ], STAGE / "devices.log", {"RUST_LOG": "info,keeper_push::crowd=debug", "NO_COLOR": "1"})
        self.session = None

    def step(self, text):
        self.steps += 1
        say(f"\n{bold(f'{self.steps}. {text}')}")

    def check(self):
        for process in [*self.nodes.values(), self.room, self.devices]:
            if process.child is not None:
                process.check()

    def until(self, what, condition, **more):
        def checked():
            self.check()
            return condition()
        return until(what, checked, **more)

    def stop(self):
        for process in [self.devices, self.room, *self.nodes.values()]:
            process.stop()

    # What the cluster and the room say about themselves.

    def status(self):
        """What the nodes say; of those that do not answer nothing but their place is known."""
        done = self.ctl.run("--output", "json", "cluster", "status")
        return json.loads(done.stdout) if done.stdout else {"leader": None, "nodes": [], "problems": ["silence"]}

    def leader(self):
        return self.status()["leader"]

    def healthy_and_equal(self):
        """Whether every node answers, has applied the same, and holds the same state."""
        status = self.status()
        marks = {(node.get("applied"), node.get("state_hash")) for node in status["nodes"]}
        return status["leader"] and len(status["nodes"]) == len(NODES) and not status["problems"] and len(marks) == 1

    def room_status(self):
        answer = http("GET", f"http://127.0.0.1:{INBOX_PORT}/status")
        return json.loads(answer[1]) if answer and answer[0] == 200 else {}

    def all_registered(self):
        status = self.room_status()
        return status.get("connections") == DEVICES and status.get("registered") == DEVICES

    def closed(self):
        """How many connections have broken, by the devices' own count."""
        counts = re.findall(r"(\d+) closed,", self.devices.text())
        return int(counts[-1]) if counts else 0

    # The story.

    def start_nodes(self):
        self.step("Three nodes start, each with its data on disk")
        for node, process in self.nodes.items():
            (STAGE / f"node-{node}.toml").write_text(
                f'cluster = "demo"\nnode_id = {node}\ndata_dir = "{STAGE}/node-{node}"\n\n[listen]\n'
                f'client = "{client(node)}"\npeer = "127.0.0.1:{port(node, 1)}"\nhttp = "127.0.0.1:{port(node, 2)}"\n')
            process.start()
        for node in NODES:
            health = f"http://127.0.0.1:{port(node, 2)}/healthz"
            self.until(f"node {node} is healthy", lambda url=health: (http("GET", url) or [0])[0] == 200)
        say(f"  {len(NODES)} processes, clients on {', '.join(client(node) for node in NODES)}")

    def found(self):
        self.step("The cluster is founded, once")
        members = [f"--member={node}=127.0.0.1:{port(node, 1)},{client(node)}" for node in NODES]
        command = ["init", "--endpoint", f"http://{client(1)}", *members]
        say(f"  {bold('$ keeper ' + ' '.join(command))}")
        founding = Process("keeper init", [str(BINARIES / "keeper"), *command], STAGE / "init.log")
        founding.start()
        code = founding.child.wait(60)
        indent(founding.text())
        if code != 0:
            raise Failed(f"keeper init ended with code {code}")
        self.until("a leader is elected and followed", self.healthy_and_equal)
        self.ctl.show("cluster", "status")

    def open_room(self):
        self.step(f"A room opens, and {DEVICES:,} devices connect to it over WebSocket")
        document = STAGE / "room.toml"
        document.write_text(ROOM_TOML)
        self.ctl.show("config", "put", DOCUMENT, str(document))
        self.room.start()
        self.until("the room holds a lease", lambda: self.room_status().get("incarnation"))
        began = time.monotonic()
        self.devices.start()
        self.until(f"{DEVICES:,} devices are registered", self.all_registered)
        say(f"  {DEVICES:,} real connections registered within {time.monotonic() - began:.1f} s")
        self.ctl.show("session", "count")

    def find_and_push(self, text):
        """Looks the user up and delivers to whom the answer names."""
        self.ctl.show("session", "get", USER)
        found = self.ctl.ask("session", "get", USER)["sessions"][0]
        inbox = found["endpoints"][0]
        url = f"http://{inbox}/push?user={USER}"
        say("  " + bold(f"$ curl -d {text!r} '{url}'"))
        answer = http("POST", url, text)
        indent(answer[1] if answer else "no answer")
        heard = f"{USER} received: {text}"
        self.until(f"{USER} hears {text!r}", lambda: heard in self.devices.text(), patience_s=10)
        say(f"  the device heard it: {dim(heard)}")
        return found

    def edit_live(self):
        self.step(f"{DOCUMENT} is edited, and the room applies the changed fields live")
        watch = Process("keeperctl config watch", [
            str(BINARIES / "keeperctl"), "config", "watch", DOCUMENT], STAGE / "watch.log", self.ctl.env)
        watch.start()
        try:
            self.until("the watch begins", watch.text, patience_s=10)
            edited = STAGE / "room.toml"
            edited.write_text(ROOM_TOML.replace("4096", "8192").replace('"welcome"', '"good day"'))
            self.ctl.show("config", "put", DOCUMENT, str(edited), "--message", "larger messages")
            heard = lambda: [line for line in self.room.text().splitlines() if "4096 -> 8192" in line]
            self.until("the room applies the change", heard, patience_s=10)
            self.until("the watch prints the change", lambda: "8192" in watch.text(), patience_s=10)
        finally:
            watch.stop()
        revision = heard()[-1].split("revision ")[1].split(":")[0]
        say("  the room's log:")
        indent("\n".join(line for line in self.room.text().splitlines() if f"revision {revision}:" in line))
        say(f"  {bold(f'keeperctl config watch {DOCUMENT}')}, running beside it, printed:")
        indent(watch.text())
        broken = STAGE / "broken.toml"
        broken.write_text(ROOM_TOML.replace("= 4096", "= = 4096"))
        say("  a text that is no TOML is refused, and the running values stay:")
        self.ctl.show("config", "put", DOCUMENT, str(broken), code=1)
        if self.room_status()["config"]["max_message_bytes"] != 8192:
            raise Failed("the refused document reached the room")

    def kill_leader(self):
        leader = self.leader()
        self.step(f"The leader, node {leader}, is killed with kill -9")
        writer = Writer(self.ctl)
        self.until("a writer writes", lambda: len(writer.acknowledged) >= 5)
        killed_at = time.monotonic()
        self.nodes[leader].kill()
        self.nodes[leader].child = None
        after = self.find_and_push("still there?")
        self.until("writes are acknowledged again", lambda: len(writer.since(killed_at)) >= 5)
        gap_s = writer.stop(killed_at)
        self.until("a new leader is known", lambda: self.leader() not in (None, leader))
        if after["epoch"] != self.session["epoch"]:
            raise Failed(f"{USER} is not in the same session any more: {self.session['epoch']}, now {after['epoch']}")
        if not self.all_registered() or self.closed():
            raise Failed(f"{self.closed()} devices lost their connections")
        say(f"  the same session, epoch {after['epoch']}; all {DEVICES:,} connections stand; "
            f"node {self.leader()} leads")
        say(f"  {bold(f'no write was acknowledged for {gap_s:.2f} s')}, each measured through a keeperctl of its own")
        return leader

    def restart(self, dead):
        self.step(f"Node {dead} starts again from its disk and catches up")
        self.nodes[dead].start()

        began = time.monotonic()
        self.until(f"node {dead} has applied what the others have", self.healthy_and_equal)
        self.ctl.show("cluster", "status")
        say(f"  equal state on all nodes {time.monotonic() - began:.1f} s after the start")

    def play(self):
        endpoints = self.ctl.env["KEEPER_ENDPOINTS"]
        say("The cluster is yours until Ctrl-C, or `make demo-stop` elsewhere. Try:\n")
        say(f"  export KEEPER_ENDPOINTS={endpoints}")
        say(f"  export PATH={BINARIES}:$PATH")
        say("  keeperctl session list --limit 5")
        say(f"  keeperctl session kick {USER} --reason 'just trying'")
        say(f"  keeperctl config edit {DOCUMENT}")
        say(f"  keeperctl config history {DOCUMENT}")
        say("  keeperctl instance list")
        say(f"  curl http://127.0.0.1:{port(1, 2)}/metrics")
        say(f"\nLogs are in {STAGE}.")
        while True:
            self.check()
            time.sleep(0.5)

    def run(self):
        self.start_nodes()
        self.found()
        self.open_room()
        self.step("A user is looked up, and a message is pushed to where the answer says")
        self.session = self.find_and_push("hello")
        self.edit_live()
        dead = self.kill_leader()
        self.restart(dead)
        self.finished = True
        say(f"\n{bold('Everything held.')}")
        if sys.stdout.isatty() and sys.stdin.isatty() and not os.environ.get("DEMO_EXIT"):
            self.play()


class Writer:
    """Publishes one small document after another and notes when each was acknowledged."""

    def __init__(self, ctl):
        self.ctl = ctl
        self.acknowledged = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.write, daemon=True)
        self.thread.start()

    def write(self):
        count = 0
        while not self.stopping.is_set():
            count += 1
            if self.ctl.run("config", "put", "demo/writes.toml", "-", stdin=f"count = {count}\n").returncode == 0:
                self.acknowledged.append(time.monotonic())

    def since(self, moment):
        return [at for at in self.acknowledged if at > moment]

    def stop(self, killed_at):
        """The longest time without an acknowledged write, from the last one before the kill on."""
        self.stopping.set()
        self.thread.join()
        before = [at for at in self.acknowledged if at <= killed_at][-1]
        marks = [before, *self.since(killed_at)]
        return max(later - earlier for earlier, later in zip(marks, marks[1:]))


def interrupted(number, frame):
    raise KeyboardInterrupt


def main():
    if sys.argv[1:] == ["stop"]:
        found = stop_recorded()
        strike()
        say("the demo is stopped" if found else "no demo is running")
        return 0
    if PIDS.exists() and alive():
        say("a demo is already running: end it by `make demo-stop`")
        return 1
    signal.signal(signal.SIGTERM, interrupted)
    strike()
    record_self()
    demo = Demo()
    code = 130
    try:
        require_binaries(["keeper", "keeperctl", "keeper-room", "keeper-room-clients"])
        require_free({**{port(node, offset): f"node {node}" for node in NODES for offset in range(3)},
                      ROOM_PORT: "the room", INBOX_PORT: "the room's inbox"})
        demo.run()
        code = 0
    except Failed as failure:
        where = f"The demo failed at step {demo.steps}:" if demo.steps else "The demo cannot begin:"
        say(f"\n{bold(where)} {failure}\nLogs are in {STAGE}.")
        code = 1
    except KeyboardInterrupt:
        say("\nstopping")
        code = 0 if demo.finished else code
    finally:
        # A second Ctrl-C must not leave processes behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        demo.stop()
        PIDS.unlink(missing_ok=True)
    if code != 1:
        strike()
    return code


if __name__ == "__main__":
    sys.exit(main())
