#!/usr/bin/env python3
"""The speech that is put together for desk 1 of the shipped day: where it lies, what the drivers
audio and phrases make of it, and that nobody else tells the same.

    voices_test.py PLAY SOURCE_DIR [--spotter]    with the driver phrases
"""

import array
import gzip
import os
import subprocess
import sys
import tempfile
import wave

SOUNDS = "/usr/share/asterisk/sounds/en_US_f_Allison"
NINE_MS = 1795420800000  # 2026-11-23 09:00 in Berlin
RATE_HZ = 8000


def make(source, folder, *arguments):
    subprocess.run([sys.executable, f"{source}/ops/day/voices.py", folder, *arguments], check=True)
    with gzip.open(f"{folder}/ear-2-4.jsonl.gz", "rt") as lines:
        return [line for line in lines if '"counter": "desk-1"' in line]


def loud_seconds(path):
    """The seconds in which anything sounds, by the file's own values."""
    with wave.open(path) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (8000, 1, 2)
        for second in range(sound.getnframes() // RATE_HZ):
            if any(array.array("h", sound.readframes(RATE_HZ))):
                yield second


def play(program, source, folder, driver):
    out = subprocess.run([program, f"{source}/config/gateways/musterstadt-voices.yaml",
                          f"{source}/config/measures.yaml", "Europe/Berlin", str(driver), "0",
                          f"drivers.{driver}.path={folder}/voices.wav"],
                         check=True, stdout=subprocess.PIPE, text=True).stdout
    assert "\nO " not in out, out[-300:]
    return [line.split(" ") for line in out.splitlines()]


def hears(program, source, folder, loud):
    """Speech where it was put, silence everywhere else."""
    lines = [words for words in play(program, source, folder, 1) if words[0] == "S"]
    value = {(words[1], (int(words[3]) - NINE_MS) // 1000): int(words[4]) for words in lines}
    speech = {at for (measure, at), share in value.items() if measure == "audio.speech" and share}
    assert speech <= loud | {at + 1 for at in loud}, sorted(speech - loud)[:5]
    assert len(speech) > 0.8 * len(loud), (len(speech), len(loud))
    for (measure, at), share in value.items():
        if measure == "audio.silence" and at not in loud:
            assert share == 100, (at, share)
    return len(speech)


def spots(program, source, folder, loud):
    """Phrases begin where somebody speaks; those that are missed are counted, not hidden."""
    heard = [words for words in play(program, source, folder, 2) if words[0] == "E"]
    labels = {words[4] for words in heard}
    assert {"greeting", "identity_check", "thanks"} <= labels, labels
    assert labels <= {"greeting", "identity_check", "thanks", "farewell", "naming", "forbidden"}
    for words in heard:
        assert (int(words[3]) - NINE_MS) // 1000 in loud | {at - 1 for at in loud}, words
    return len(heard)


def main():
    program, source, spotter = sys.argv[1], sys.argv[2], sys.argv[3:] == ["--spotter"]
    if not os.path.isdir(SOUNDS):
        print(f"skipped: {SOUNDS} is not there; install asterisk-core-sounds-en-wav")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, f"{source}/ops/day/timetable.py", "--out", folder,
                        "--hours", "1"], check=True, stdout=subprocess.DEVNULL)
        told = make(source, folder, "--no-spotter")
        assert told and all('"audio.phrase"' in line for line in told), told[:3]
        assert make(source, folder) == []
        loud = set(loud_seconds(f"{folder}/voices.wav"))
        assert len(loud) > 60, len(loud)
        print(f"{len(loud)} seconds sound, speech in {hears(program, source, folder, loud)}")
        if spotter:
            print(f"{spots(program, source, folder, loud)} phrases")
    return 0


sys.exit(main())
