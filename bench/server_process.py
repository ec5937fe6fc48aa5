"""A `perennial serve` of a bench's own, on a free port of loopback."""
import pathlib
import re
import subprocess
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent
PERENNIAL = ROOT / "build/release/src/perennial"


class ServerProcess:
    """Serves when it is made; what it says gathers in `said`."""

    def __init__(self, data, *arguments, before=()):
        self.process = subprocess.Popen([*before, PERENNIAL, "serve", "--data", data, "--no-key", *arguments], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        self.said = []
        for line in self.process.stdout:
            self.said.append(line)
            found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
            if found:
                break
        else:
            raise SystemExit("the server did not start:\n" + "".join(self.said))
        self.port = int(found[1])
        threading.Thread(target=lambda: self.said.extend(self.process.stdout), daemon=True).start()

    def complaints(self):
        """Its lines of level warning and above."""
        return [line for line in self.said if re.match(r"\S+ (warning|error|critical) ", line)]

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=60)
