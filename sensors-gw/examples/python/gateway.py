"""A whole gateway, from common/wire/PROTOCOL.md alone. It follows a file of readings, a line each:
UTC milliseconds and a value, or the time alone: the sensor watched, and there was nothing.
usage: gateway.py BROKER KEYS BRANCH NAME COUNTER MEASURE READINGS SPOOL [SILENCE_S]"""
import msgpack, os, pathlib, random, sqlite3, sys, time, zmq
BROKER, KEYS, BRANCH, NAME, COUNTER, MEASURE, READINGS, SPOOL, SILENCE_S, *_ = sys.argv[1:] + ["10"]
spool = sqlite3.connect(SPOOL, isolation_level=None)  # what a statement wrote is on disk
spool.executescript("""CREATE TABLE IF NOT EXISTS batch (number INTEGER PRIMARY KEY, tag, body, watermark, place, made);
    CREATE TABLE IF NOT EXISTS self (one INTEGER PRIMARY KEY, id, epoch, session);
    INSERT OR IGNORE INTO self VALUES (1, randomblob(16), 0, 0);""")
one_row = lambda query, *values: spool.execute(query, values).fetchone()

def read_sensor():  # a batch and the place in the file behind it are one statement
    number, watermark, place, mark = one_row("SELECT ifnull(max(number), 0), ifnull(watermark, 0), ifnull(place, 0), ifnull(substr(tag, 5), substr(id, 1, 4)) FROM self LEFT JOIN batch")
    with open(READINGS, "rb") as file:
        file.seek(place)
        while (line := file.readline()).endswith(b"\n"):
            at, *values = map(float, line.split())
            at = max(int(at), watermark)  # nothing older than what was promised
            series = {"measure": MEASURE, "counter": COUNTER, "from": watermark or at, "to": at + 1}
            body = {"watermark": at + 1, "series": [series | ({"t0": at, "values": values} if values else {})],
                    "facts": [] if number else [{"fact": "birth", "measures": [MEASURE], "counters": [COUNTER]}]}
            one_row("INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?)", number := number + 1, mark + (mark := os.urandom(4)),
                    msgpack.packb(body), watermark := at + 1, file.tell(), time.time())
    return number
def talk(socket, connected, silence=float(SILENCE_S), applied=0, sent=0, window=0, ask_at=0, tries=0):  # until the connection is lost
    send = lambda kind, **more: socket.send(msgpack.packb({"v": 1, "type": kind, "session": session, "epoch": epoch} | more))
    while True:
        last = read_sensor()
        if time.monotonic() >= ask_at:  # after connecting, a step back, silence; and when idle
            spool_id, epoch, session = one_row("UPDATE self SET session = session + 1 RETURNING id, epoch, session")
            send("ask", spool=spool_id, held=last - applied, spooled=last)
            asked, window, tries, ask_at = True, 0, tries + 1, time.monotonic() + silence * 2 ** min(tries, 3)
        while sent < last and sent - applied < window:
            number, tag, body = one_row("SELECT number, tag, body FROM batch WHERE number > ?", sent)
            send("batch", **{"number": number, "tag": tag, "body": body} | ({"lost": sent + 1, "tag": there + tag[4:]} if number > sent + 1 else {}))
            sent = number
        (messages := msgpack.Unpacker()).feed(socket.recv() if socket.poll(50) else b"")
        for answer in messages:
            if answer["type"] != "answer" or answer["session"] != session: continue
            status, number, there = answer["status"], answer["number"], answer["tag"][4:]
            held = one_row("SELECT substr(tag, 5) FROM batch WHERE number = ?1 UNION SELECT substr(tag, 1, 4) FROM batch WHERE number = ?1 + 1", number)
            if status in ("later", "refused"):
                window, ask_at = 0, time.monotonic() + answer.get("wait_ms", silence * 1000) / 1000
            elif status == "fenced" or 0 < epoch < answer["epoch"] or number > last or held and held[0] != there:
                sys.exit(f"{status}, number {number}: a newer spool took over, or this one is a copy or was rolled back")
            elif not asked and (status == "gap" or number < applied): window, ask_at = 0, 0
            else:
                if not epoch: one_row("UPDATE self SET epoch = ?", epoch := answer["epoch"])
                sent, applied, window = number if asked else max(sent, number), number, answer["window"]
                asked, tries, ask_at = False, 0, time.monotonic() + silence
                one_row("DELETE FROM batch WHERE number < ? AND made < ?", number, time.time() - 7 * 86400)
key, ME, context = lambda name: pathlib.Path(KEYS, name).read_bytes().strip(), f"gateway.{BRANCH}.{NAME}", zmq.Context()
options = {"immediate": 1, "linger": 0, "heartbeat_ivl": 2000, "heartbeat_timeout": 6000, "sndtimeo": 2000, "reconnect_ivl": -1}
options |= {f"curve_{kind}key": key(name) for kind, name in (("server", "broker.pub"), ("public", ME + ".pub"), ("secret", ME + ".key"))}
for option, value in options.items(): setattr(context, option, value)
while True:  # a lost connection is not mended behind our back: a new one begins with an ask
    try:
        with context.socket(zmq.DEALER) as socket: talk(socket, socket.connect(BROKER))
    except (zmq.Again, ValueError, KeyError, TypeError) as problem: print("connecting again:", problem, file=sys.stderr)
    time.sleep(random.uniform(0.1, 1))
