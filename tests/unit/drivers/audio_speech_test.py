#!/usr/bin/env python3
"""Speech of a synthesizer in noise, 20 dB below it, with pauses: heard as speech where it is.

    audio_speech_test.py PLAY SOURCE_DIR
"""

import math
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import wave

SENTENCES = {
    "en": "Good morning. How can I help you today? Please take a seat over there. "
          "I will be with you in a moment.",
    "de": "Guten Tag. Was kann ich für Sie tun? Bitte nehmen Sie dort drüben Platz.",
}
BEGIN_MS, PAUSE_S, NOISE = 1795424400000, 3, 10 ** (-20 / 20)


def noisy(path):
    """Twice what is in the file, cut to whole seconds, between pauses; its seconds of speech."""
    with wave.open(path) as file:
        rate, count = file.getframerate(), file.getnframes()
        spoken = struct.unpack(f"<{count}h", file.readframes(count))
    seconds = count // rate
    spoken = list(spoken[:seconds * rate])
    level = NOISE * math.sqrt(sum(v * v for v in spoken) / len(spoken))
    pause = [0] * (PAUSE_S * rate)
    values = pause + spoken + pause + spoken + pause
    values = [max(-32768, min(32767, int(v + random.gauss(0, level)))) for v in values]
    with wave.open(path, "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(struct.pack(f"<{len(values)}h", *values))
    second = 2 * PAUSE_S + seconds
    return set(range(PAUSE_S, PAUSE_S + seconds)) | set(range(second, second + seconds))


def shares(program, source, path, folder):
    with open(f"{folder}/entry.yaml", "w", encoding="utf-8") as file:
        file.write(f"drivers:\n  - {{driver: audio, counter: desk-1, path: {path},\n"
                   "     start: '2026-11-23T09:00:00Z'}\n")
    out = subprocess.run([program, f"{folder}/entry.yaml", f"{source}/config/measures.yaml", "UTC",
                          "0", "0"], check=True, stdout=subprocess.PIPE, text=True).stdout
    fields = [line.split() for line in out.splitlines() if line.startswith("S audio.speech ")]
    return {(int(f[3]) - BEGIN_MS) // 1000: int(f[4]) / 100 for f in fields}


def main():
    program, source = sys.argv[1:]
    if not shutil.which("espeak-ng"):
        print("skipped: espeak-ng is not installed")
        sys.exit(77)
    random.seed(1)
    for language, text in SENTENCES.items():
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/speech.wav"
            subprocess.run(["espeak-ng", "-v", language, "-s", "150", "-w", path, text], check=True)
            spoken = noisy(path)
            heard = shares(program, source, path, folder)
        speech = [share for second, share in heard.items() if second in spoken]
        pauses = [share for second, share in heard.items() if second not in spoken]
        assert len(speech) == len(spoken) and len(pauses) == 3 * PAUSE_S
        in_speech, in_pauses = sum(speech) / len(speech), sum(pauses) / len(pauses)
        print(f"{language}: {in_speech:.2f} in speech, {in_pauses:.3f} in pauses")
        assert in_speech >= 0.8 and in_pauses <= 0.1, heard


main()
