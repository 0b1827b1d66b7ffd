"""Builds what the benchmark runs."""

import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
TARGETS = ("tresen-broker", "tresen-worker", "tresen-bench", "tresenctl")


def build():
    """A release build in build/; returns its folder."""
    folder = os.path.join(ROOT, "build")
    subprocess.run([os.path.join(ROOT, "ops", "install")], check=True)
    os.makedirs(folder, exist_ok=True)
    for command in (["cmake", "-S", ROOT, "-B", folder, "-G", "Ninja",
                     "-DCMAKE_BUILD_TYPE=Release"],
                    ["cmake", "--build", folder, "--target", *TARGETS]):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stdout + done.stderr)
    return folder
