"""The steps of sensors-gw/README.md, run as they stand there, one after the other."""

import os
import pathlib
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import tty
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import BUILD, PATIENCE, ROOT, main  # noqa: E402

README = ROOT / "sensors-gw" / "README.md"


class Afternoon(unittest.TestCase):
    def test_every_step_does_what_the_page_says(self):
        steps = re.findall(r"^```sh\n(.*?)^```$", README.read_text(), re.M | re.S)
        self.assertGreaterEqual(len(steps), 8)
        folder = pathlib.Path(tempfile.mkdtemp(prefix="tresen-"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        for name, target in (("build", BUILD), ("config", ROOT / "config"),
                             ("sensors-gw", ROOT / "sensors-gw")):
            (folder / name).symlink_to(target.resolve())
        # A loopback address of its own, so that it can run beside anything else.
        pid = os.getpid()
        host = f"127.{128 + (pid >> 16 & 63)}.{pid >> 8 & 255}.{pid & 255 or 1}"
        script = "set -eu -o pipefail\n" + "\necho '--- next step'\n".join(steps)
        script = script.replace("127.0.0.1", host).replace("python3", "/usr/bin/python3")
        process = subprocess.Popen(["bash", "-c", script], cwd=folder, text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, start_new_session=True)
        try:
            out, errors = process.communicate(timeout=200 * PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # its own session: nobody else's
            out, errors = process.communicate()
            self.fail(f"a step does not end\n{out[-3000:]}{errors[-3000:]}")
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.assertEqual(process.returncode, 0, out[-3000:] + errors[-3000:])
        self.assertEqual(out.count("--- next step"), len(steps) - 1)
        self.assertIn('"measure": "queue.length"', out)
        for driver in ("jsonl", "queue", "tracks"):
            self.assertRegex(out, rf"(?m)^{driver} +\S")
        self.assertRegex(out, r"(?m)^queue.length +info +120  0 \.\. 6 persons, 1 a second, ")
        self.assertRegex(out, r"(?m)^beispiel/own +no +never .* missing$")
        position = re.search(r"^beispiel/door .* ago +1 +(\d+) ", out, re.M)
        self.assertGreater(int(position.group(1)), 0)
        self.assertEqual(len(re.findall(r"(?m)^ *\d+  pass ", out)), 15, out)

    def test_probe_recognises_a_form(self):
        day, folder = ROOT / "ops" / "day", pathlib.Path(tempfile.mkdtemp(prefix="tresen-"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        made = {"radar": (b"\xaa\xff\x03\x00" + bytes(24) + b"\x55\xcc", "ld2450"),
                "sound.wav": (b"RIFF\x24\0\0\0WAVEfmt ", "audio"),
                "lines.jsonl": (b'{"watermark": 1}\n', "jsonl"),
                "torn.jsonl": (b'23, "value": 1}\n{"watermark": 1}\n', "jsonl"),
                "face.jsonl": (b'{"t": 1, "faceBlendshapes": []}\n', "vision"),
                "face.csv": (b"frame, timestamp, confidence, pose_Ry, AU06_c, AU12_c\n", "vision"),
                "words.txt": (b"nothing of the kind\n", None), "empty": (b"", None),
                "noise": (bytes(range(256)), None)}
        for name, (content, _) in made.items():
            (folder / name).write_bytes(content)
        expected = {folder / name: driver for name, (_, driver) in made.items()}
        expected |= {day / "floor.csv.gz": "tracks", day / "form.csv": "form",
                     day / "faces.csv": "vision", day / "desk.csv": None, folder / "none": None}
        for path, driver in expected.items():
            with self.subTest(path=path.name):
                done = subprocess.run([BUILD / "tresen-gateway", "probe", "--seconds", "1", path],
                                      capture_output=True, text=True, timeout=60, check=False)
                found = re.search(r"driver (\w+);", done.stdout)
                self.assertEqual(found and found.group(1), driver, done.stdout + done.stderr)
                self.assertEqual(done.returncode, 0 if driver else 1)

    def probe(self, path, seconds=1):
        done = subprocess.run([BUILD / "tresen-gateway", "probe", "--set",
                               f"config_dir={ROOT / 'config'}", "--seconds", str(seconds), path],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_probe_says_what_it_sees_in_units(self):
        day = ROOT / "ops" / "day"
        ear = self.probe(day / "ear.jsonl.gz")
        self.assertRegex(ear, r"(?m)^  audio.loudness +desk-\d +\d+  -\d[\d.]* \.\. -\d[\d.]* LUFS$")
        self.assertRegex(ear, r"(?m)^  audio.phrase +desk-\d +\d+  last: \w+$")
        self.assertRegex(self.probe(day / "floor.csv.gz"), r"(?m)^  x_m +\d+  -?[\d.]+ \.\. [\d.]+$")

    def test_probe_listens_to_pipe_and_port(self):
        # One person at 0.5 m, 1.2 m: 1.3 m away, 0.25 m/s; the listener begins amid a frame.
        frame = (b"\xaa\xff\x03\x00" + b"\xf4\x81\xb0\x84\x19\x80\x68\x01" + bytes(16)
                 + b"\x55\xcc")
        port, line = pty.openpty()
        tty.setraw(line)
        folder = pathlib.Path(tempfile.mkdtemp(prefix="tresen-"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        os.mkfifo(folder / "pipe")
        pipe = os.open(folder / "pipe", os.O_RDWR)
        for path, out in ((os.ttyname(line), port), (folder / "pipe", pipe)):
            with self.subTest(path=path):
                os.write(out, frame[11:] + 3 * frame)
                told = self.probe(path)
                self.assertIn("frames of a Hi-Link LD2450 radar", told)
                self.assertIn("  3 frames, 1 .. 1 persons at once, 1.30 .. 1.30 m away, "
                              "at most 0.25 m/s", told)
        for descriptor in (port, line, pipe):
            os.close(descriptor)


if __name__ == "__main__":
    main()
