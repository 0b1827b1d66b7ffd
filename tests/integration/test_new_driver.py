"""A driver made by one command is compiled with the project's own flags and reads its sensor."""

import json
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import BUILD, ROOT, SKIPPED, main  # noqa: E402

NAME = "thermo"
BEGIN_MS = 1795420800000


def run(words, cwd=BUILD):
    done = subprocess.run([str(word) for word in words], cwd=cwd, capture_output=True, text=True,
                          timeout=120, stdin=subprocess.DEVNULL, check=False)
    return done.returncode, done.stdout + done.stderr


class NewDriver(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        holder = tempfile.TemporaryDirectory(prefix="tresen-driver-")
        cls.addClassCleanup(holder.cleanup)
        cls.folder = pathlib.Path(holder.name)
        cls.tree = cls.folder / "tree"
        for part in ("sensors-gw/drivers", "sensors-gw/examples", "ops"):
            shutil.copytree(ROOT / part, cls.tree / part)
        cls.status, cls.text = run([cls.tree / "ops" / "new-driver", NAME])

    def compile(self, source):
        """With the flags of registry.c, warnings being errors."""
        commands = json.loads((BUILD / "compile_commands.json").read_text())
        words = next(shlex.split(one["command"]) for one in commands
                     if one["file"].endswith("sensors-gw/drivers/registry.c"))
        at = words.index("-o")
        out = self.folder / f"{source.stem}.o"
        status, text = run(words[:at] + ["-o", out, "-c", source])
        self.assertEqual(status, 0, text)
        return out

    def test_it_builds_and_reads(self):
        self.assertEqual(self.status, 0, self.text)
        drivers = self.tree / "sensors-gw" / "drivers"
        objects = [self.compile(drivers / f"{NAME}.c"), self.compile(drivers / "registry.c")]
        # The program's own link line, with the two objects before the archive that they precede.
        _, commands = run(["ninja", "-t", "commands", "tresen-gateway"])
        link = commands.strip().splitlines()[-1]
        program = self.folder / "gateway"
        self.assertIn(" -o tresen-gateway ", link)
        link = link.replace(" -o tresen-gateway ", f" {objects[0]} {objects[1]} -o {program} ")
        status, text = run(["sh", "-c", link])
        self.assertEqual(status, 0, text)

        status, text = run([program, "drivers", NAME])
        self.assertEqual(status, 0, text)
        self.assertIn("confidence", text)
        readings, config = self.folder / "readings", self.folder / "gateway.yaml"
        readings.write_text("".join(f"{BEGIN_MS + 1000 * number} {number % 7}\n"
                                    for number in range(60)) + "warm\n")
        config.write_text(json.dumps({
            "branch": "musterstadt", "gateway": "floor", "config_dir": str(ROOT / "config"),
            "brokers": ["tcp://127.0.0.1:7400"],
            "drivers": [{"driver": NAME, "path": str(readings), "measure": "queue.length",
                         "counter": "desk-1"}]}))
        status, text = run([program, "probe", "--config", config])
        self.assertEqual(status, 0, text)
        self.assertRegex(text, r"(?m)^queue.length +desk-1 +60  0 \.\. 6 persons, 1 a second")
        self.assertIn("readings:61: not a time and a value", text)
        self.assertIn("odd: bad_line, 1 times", text)

    def test_a_name_twice_or_malformed_is_refused(self):
        self.assertEqual(run([self.tree / "ops" / "new-driver", NAME])[0], 1)
        self.assertEqual(run([self.tree / "ops" / "new-driver", "tracks"])[0], 1)
        self.assertEqual(run([self.tree / "ops" / "new-driver", "No Name"])[0], 2)


if __name__ == "__main__":
    if not (BUILD / "build.ninja").exists():
        print("skipped: only where Ninja builds")
        sys.exit(SKIPPED)
    main()
