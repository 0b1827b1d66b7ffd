#!/usr/bin/env python3
"""What is said in which order, from a recording to a verdict: recorded prompts are put together, the
driver phrases hears them, and the shipped standard that asks for the identity before any talk about an
account judges what it heard.

The wordings here are those of the prompts; which names they get is what the standard goes by.
usage: order_test.py PLAY TRESENCTL SOURCE_DIR DATA_DIR
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import wave

BEGIN_MS = 1795424400000  # 2026-11-23T09:00:00Z
RATE_HZ, PAUSE_S = 8000, 2
PHRASES = """
- {phrase: identity_check, en: [your phone number, your password]}
- {phrase: account_talk, en: [in service, try again]}
"""
ASKS, TELLS, NEITHER = "privacy-prompt", "ss-noservice", "queue-thankyou"
CALLS = {(ASKS, NEITHER, TELLS): "met", (TELLS, ASKS, NEITHER): "not_met", (NEITHER, TELLS): "not_met",
         (ASKS, NEITHER): "not_applicable"}


def record(names, data, path):
    """The prompts one after the other; how long it takes in seconds."""
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        for name in names:
            out.writeframes(bytes(PAUSE_S * RATE_HZ * 2))
            with wave.open(f"{data}/audio/prompts_en/{name}.wav") as prompt:
                assert prompt.getframerate() == RATE_HZ and prompt.getnchannels() == 1, name
                out.writeframes(prompt.readframes(prompt.getnframes()))
        out.writeframes(bytes(PAUSE_S * RATE_HZ * 2))
    with wave.open(str(path)) as sound:
        return sound.getnframes() // RATE_HZ


def hear(play, source, folder):
    """[(second, name)] from the driver."""
    (folder / "phrases.yaml").write_text(PHRASES)
    (folder / "entry.yaml").write_text(
        f"drivers:\n  - {{driver: phrases, counter: desk-1, path: {folder}/call.wav,\n"
        f"     start: '2026-11-23T09:00:00Z', phrases: {folder}/phrases.yaml}}\n")
    out = subprocess.run([play, f"{folder}/entry.yaml", f"{source}/config/measures.yaml", "UTC", "0", "0"],
                         check=True, stdout=subprocess.PIPE, text=True).stdout
    heard = [line.split() for line in out.splitlines() if line.startswith("E audio.phrase ")]
    return [((int(words[3]) - BEGIN_MS) / 1000, words[4]) for words in heard]


def judge(tresenctl, source, folder, length, heard, expect):
    """The standard of the shipped file with this call as one more example; what `check` says."""
    config = folder / "config"
    shutil.copytree(f"{source}/config", config, dirs_exist_ok=True)
    events = ", ".join(f"[{at:.3f}, {name}]" for at, name in heard)
    example = f"    - {{given: {{started: 0, ended: {length}, offering: advice, events: [{events}]}}, " \
        f"expect: {expect}}}\n"
    path = config / "standards/safety.yaml"
    text, count = re.subn(r"(- standard: safety\.identity_first\n.*?  tests:\n)",
                          lambda found: found.group(1) + example, path.read_text(), flags=re.S)
    assert count == 1, count
    path.write_text(text)
    run = subprocess.run([tresenctl, "standards", "check", str(config)], capture_output=True, text=True,
                         check=False)
    return run.returncode, run.stdout + run.stderr


def main():
    play, tresenctl, source, data = sys.argv[1:]
    if not pathlib.Path(data, "audio").is_dir():
        print(f"skipped: {data}/audio is not there; TRESEN_DATA names the folder of recordings")
        sys.exit(77)
    for names, verdict in CALLS.items():
        with tempfile.TemporaryDirectory() as scratch:
            folder = pathlib.Path(scratch)
            length = record(names, data, folder / "call.wav")
            heard = hear(play, source, folder)
            status, said = judge(tresenctl, source, folder, length, heard, verdict)
            assert status == 0, f"{names}: {heard}\n{said}"
            other = "not_met" if verdict == "met" else "met"
            status, said = judge(tresenctl, source, folder, length, heard, other)
            assert status == 1 and f"is {verdict} (" in said, said  # the check can fail
            print(f"{', '.join(names)}: {heard}: {verdict}")


main()
