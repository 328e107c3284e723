"""What the demo stands on: processes with pid files, commands shown with their true output, waiting with a deadline.

Nothing here knows the story; demo.py tells it.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STAGE = ROOT / "target" / "demo"
BINARIES = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
PIDS = STAGE / "pids"
# How long anything may take before the demo fails; a healthy step takes a tenth of it.
PATIENCE_S = 60.0
STOP_S = 8.0


class Failed(Exception):
    """A step did not hold."""


def bold(text):
    return f"\033[1m{text}\033[0m" if sys.stdout.isatty() else text


def dim(text):
    return f"\033[2m{text}\033[0m" if sys.stdout.isatty() else text


def say(text=""):
    print(text, flush=True)


def indent(text):
    for line in text.rstrip("\n").splitlines():
        say(f"    {line}")


def until(what, condition, patience_s=PATIENCE_S, pause_s=0.05):
    """Waits until the condition gives something true, and gives that. On a terminal the wait is seen."""
    began = time.monotonic()
    shown = False
    try:
        while True:
            value = condition()
            if value:
                return value
            waited = time.monotonic() - began
            if waited > patience_s:
                raise Failed(f"{what}: not within {patience_s:.0f} s")
            if waited > 1 and sys.stdout.isatty():
                shown = True
                print(f"\r    waiting: {what} ({waited:.0f} s)\033[K", end="", flush=True)
            time.sleep(pause_s)
    finally:
        if shown:
            print("\r\033[K", end="", flush=True)


def http(method, url, body=None, timeout_s=2.0):
    """Status and text of one exchange; nothing when nobody answers."""
    data = body.encode() if body is not None else None
    request = urllib.request.Request(url, data=data, method=method)
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return None


class Process:
    """A program of ours, with a log and a line in the pid file."""

    def __init__(self, name, command, log, env=None):
        self.name = name
        self.log = log
        self.command = command
        self.env = env or {}
        self.child = None

    def start(self):
        with open(self.log, "ab") as log:
            # Its own session: Ctrl-C is for the demo, which stops its programs in their order.
            self.child = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **self.env}, start_new_session=True)
        with open(PIDS, "a") as pids:
            pids.write(f"{self.child.pid} {Path(self.command[0]).name}\n")

    def check(self):
        """Fails when the program has ended by itself."""
        if self.child.poll() is not None:
            raise Failed(f"{self.name} ended with code {self.child.returncode}; its last words:\n{self.tail()}")

    def kill(self):
        self.child.kill()
        self.child.wait()

    def stop(self):
        if self.child is None or self.child.poll() is not None:
            return
        self.child.terminate()
        try:
            self.child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def tail(self, lines=8):
        return "\n".join(f"    {line}" for line in self.text().splitlines()[-lines:])


class Ctl:
    """keeperctl, shown as it would be typed."""

    def __init__(self, endpoints):
        self.env = {**os.environ, "KEEPER_ENDPOINTS": ",".join(endpoints), "NO_COLOR": "1"}

    def run(self, *arguments, stdin=""):
        command = [BINARIES / "keeperctl", *arguments]
        return subprocess.run(command, env=self.env, input=stdin, capture_output=True, text=True, check=False)

    def show(self, *arguments, code=0):
        """Runs a command before the reader's eyes; gives what it printed."""
        say(f"  {bold('$ keeperctl ' + ' '.join(quoted(word) for word in arguments))}")
        done = self.run(*arguments)
        indent(done.stdout + done.stderr)
        if done.returncode != code:
            raise Failed(f"keeperctl {' '.join(arguments)} ended with code {done.returncode}, not {code}")
        return done.stdout

    def ask(self, *arguments):
        """The answer as data; nothing when there is none now."""
        done = self.run("--output", "json", *arguments)
        return json.loads(done.stdout) if done.returncode == 0 else None


def quoted(word):
    word = str(word)
    try:
        word = str(Path(word).relative_to(ROOT))
    except ValueError:
        pass
    return f"'{word}'" if " " in word else word


def require_free(ports):
    for port, owner in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise Failed(f"port {port} of 127.0.0.1, meant for {owner}, is in use: stop what listens there, "
                             f"or a demo that was left running by `make demo-stop`") from error


def require_binaries(names):
    missing = [name for name in names if not (BINARIES / name).exists()]
    if missing:
        raise Failed(f"{', '.join(missing)} not built: run `make demo`, which builds first")


def alive():
    """The recorded processes that still run, as (pid, name): a pid that was reused by another program is not ours."""
    found = []
    for line in PIDS.read_text().splitlines() if PIDS.exists() else []:
        pid, name = line.split(" ", 1)
        try:
            words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        except OSError:
            continue
        if any(Path(word).name == name for word in words[:3]):
            found.append((int(pid), name))
    return found


def record_self():
    STAGE.mkdir(parents=True, exist_ok=True)
    PIDS.write_text(f"{os.getpid()} demo.py\n")


def stop_recorded():
    """Ends a demo that runs elsewhere; says whether there was one."""
    ours = [(pid, name) for pid, name in alive() if pid != os.getpid()]
    if not ours:
        return False
    # The demo itself first: it stops its programs in their order. What is left after that has no owner any more.
    ours.sort(key=lambda one: one[1] != "demo.py")
    for pid, name in ours:
        signal_if_alive(pid, signal.SIGTERM)
        if name == "demo.py":
            wait_gone({pid})
    wait_gone({pid for pid, _ in ours})
    for pid, _ in alive():
        signal_if_alive(pid, signal.SIGKILL)
    return True


def signal_if_alive(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def wait_gone(pids):
    deadline = time.monotonic() + 3 * STOP_S
    while time.monotonic() < deadline and any(pid in pids for pid, _ in alive()):
        time.sleep(0.05)


def strike():
    """Removes everything the demo wrote."""
    shutil.rmtree(STAGE, ignore_errors=True)
