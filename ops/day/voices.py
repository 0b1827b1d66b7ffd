#!/usr/bin/env python3
"""Writes what the microphone of desk 1 hears on the made-up day of timetable.py: recorded speech of
the Debian package asterisk-core-sounds-en-wav, put together by the same timetable. The sound is
made at set-up and is no part of this repository (README.md).

    voices.py FOLDER [--sounds FOLDER] [--no-spotter]

FOLDER has what timetable.py wrote. Added are:

  voices.wav        the desk's sound, 8 kHz; silent while nobody speaks
  ear-2-4.jsonl.gz  ear.jsonl.gz without desk 1: what another maker's program hears at the others;
                    with --no-spotter it tells the phrases of desk 1, too, as nobody else does
"""

import argparse
import array
import csv
import gzip
import pathlib
import random
import struct
import wave

import radar
import senses

SOUNDS = pathlib.Path("/usr/share/asterisk/sounds/en_US_f_Allison")
RATE_HZ, BYTES = 8000, 2
OPENS_S = 9 * 3600
# Prompts in which a formula of config/phrases.yaml is said, and small talk in which none is.
PROMPTS = {
    "greeting": ["dir-intro"], "thanks": ["queue-thankyou", "demo-thanks"],
    "farewell": ["goodbye", "vm-goodbye"],
    "identity_check": ["privacy-prompt", "auth-incorrect", "vm-reenterpassword"],
    "talk": ["if-correct-press", "queue-holdtime", "vm-sorry"],
}
PROMPT_MOST_S = 4  # no longer, so that the day plays in a minute
TALK_EVERY_S = 120
# Recorded at about -19 LUFS; calm voices are turned down, so that raised ones stand out.
CALM, RAISED = 0.25, 1.0


def read_prompt(sounds, name, gain):
    with wave.open(str(sounds / f"{name}.wav")) as prompt:
        if (prompt.getframerate(), prompt.getnchannels(), prompt.getsampwidth()) != (8000, 1, 2):
            raise ValueError(f"{name}.wav is not 8 kHz, mono, 16 bit")
        values = array.array("h", prompt.readframes(PROMPT_MOST_S * RATE_HZ))
    return array.array("h", (round(value * gain) for value in values)).tobytes()


def services(folder):
    """Begin and end, seconds since opening, and the clerk of each service at desk 1."""
    def second(text):
        hours, minutes, seconds = (int(part) for part in text.split(":"))
        return hours * 3600 + minutes * 60 + seconds - OPENS_S

    with open(folder / "desk.csv", encoding="utf-8") as log:
        for row in csv.DictReader(line for line in log if not line.startswith("#")):
            if row["desk"] == "1" and row["done"]:
                yield {"began": second(row["began"]), "done": second(row["done"]),
                       "clerk": row["clerk"]}


def said_in(rng, service, phrases):
    """(second, kind of prompt) of one service: its formulas as in one of the recorded calls."""
    yield from ((at, phrase) for at, phrase, _ in senses.formulas_of(rng, service, phrases)
                if phrase in PROMPTS)
    for at in range(service["began"] + TALK_EVERY_S // 2, service["done"] - 15, TALK_EVERY_S):
        yield at, "talk"


def speak(out, rng, sounds, folder):
    """Writes the speech where it belongs; what lies between stays a hole in the file. The last byte."""
    phrases, end = senses.rows_of("phrases.csv"), 0
    for service in services(folder):
        gain = RAISED if rng.random() < senses.HABITS[service["clerk"]][2] else CALM
        for at, kind in sorted(said_in(rng, service, phrases)):
            begin = max(end, int(at * RATE_HZ) * BYTES)
            prompt = read_prompt(sounds, rng.choice(PROMPTS[kind]), gain)
            out.seek(44 + begin)
            out.write(prompt)
            end = begin + len(prompt)
    return end


def write_sound(sounds, folder):
    """All of the day, also where it is silent: a microphone that hears nothing watches."""
    rng = random.Random(1)
    with gzip.open(folder / "radar.bin.gz") as frames:
        seconds = len(frames.read()) // radar.FRAME_BYTES // radar.RATE_HZ
    with open(folder / "voices.wav", "wb") as out:
        size = max(speak(out, rng, sounds, folder), seconds * RATE_HZ * BYTES)
        out.truncate(44 + size)
        out.seek(0)
        out.write(b"RIFF" + struct.pack("<I", 36 + size) + b"WAVEfmt "
                  + struct.pack("<IHHIIHH", 16, 1, 1, RATE_HZ, RATE_HZ * BYTES, BYTES, 8 * BYTES)
                  + b"data" + struct.pack("<I", size))


def write_other_ears(folder, spotter):
    def told(line):
        ours = '"counter": "desk-1"' in line
        return not ours or (not spotter and '"audio.phrase"' in line)

    with gzip.open(folder / "ear.jsonl.gz", "rt", encoding="utf-8") as lines:
        senses.write_gzip(folder / "ear-2-4.jsonl.gz", "".join(filter(told, lines)))


def main():
    parser = argparse.ArgumentParser(description="Put speech together along the made-up day.")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--sounds", type=pathlib.Path, default=SOUNDS)
    parser.add_argument("--no-spotter", action="store_true")
    arguments = parser.parse_args()
    if not arguments.sounds.is_dir():
        parser.error(f"{arguments.sounds} is not there: install asterisk-core-sounds-en-wav")
    write_sound(arguments.sounds, arguments.folder)
    write_other_ears(arguments.folder, not arguments.no_spotter)


if __name__ == "__main__":
    main()
