// A whole gateway, from common/wire/PROTOCOL.md alone. It follows a file of readings, a line each:
// UTC milliseconds and a value, or the time alone: the sensor watched, and there was nothing.
// usage: node gateway.mjs BROKER KEYS BRANCH NAME COUNTER MEASURE READINGS SPOOL [SILENCE_S]
import { decode, decodeMulti, encode } from "@msgpack/msgpack";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { Dealer } from "zeromq";
const [BROKER, KEYS, BRANCH, NAME, COUNTER, MEASURE, READINGS, SPOOL, SILENCE_S = "10"] = process.argv.slice(2);
fs.mkdirSync(SPOOL, { recursive: true }); // a folder: one file a batch, named by its number, and "self"
const folder = fs.openSync(SPOOL), readings = fs.openSync(READINGS), numbers = fs.readdirSync(SPOOL).map(Number).filter((n) => n > 0);
const read = (name) => fs.existsSync(`${SPOOL}/${name}`) ? decode(fs.readFileSync(`${SPOOL}/${name}`)) : undefined;
function keep(name, value) { // when it returns, the file is on disk, and whole
  const file = fs.openSync(`${SPOOL}/new`, "w");
  fs.writeSync(file, encode(value));
  fs.fsyncSync(file);
  fs.closeSync(file);
  fs.renameSync(`${SPOOL}/new`, `${SPOOL}/${name}`);
  fs.fsyncSync(folder);
}
let first = Math.min(...numbers, Infinity), last = Math.max(...numbers, 0), { watermark = 0, place = 0, tag: newest } = read(last) ?? {};
let self = read("self") ?? { id: randomBytes(16), epoch: 0, session: 0 };
const change = (what) => keep("self", self = { ...self, ...what });

function readSensor() { // a batch and the place in the file behind it are one file
  const bytes = Buffer.alloc(4096), text = bytes.toString("latin1", 0, fs.readSync(readings, bytes, { position: place }));
  for (const line of text.split("\n").slice(0, -1)) {
    const [time, ...values] = line.trim().split(/\s+/).map(Number), at = Math.max(time, watermark); // as promised
    const series = { measure: MEASURE, counter: COUNTER, from: watermark || at, to: at + 1, ...(values.length && { t0: at, values }) };
    const facts = last ? [] : [{ fact: "birth", measures: [MEASURE], counters: [COUNTER] }];
    [watermark, place] = [at + 1, place + line.length + 1];
    newest = Buffer.concat([newest?.subarray(4) ?? self.id.subarray(0, 4), randomBytes(4)]); // a chain
    keep(last + 1, { tag: newest, body: encode({ watermark, series: [series], facts }), watermark, place, made: Date.now() });
    first = Math.min(first, ++last);
  }
}

async function talk(socket, silence = SILENCE_S * 1000, applied = 0, sent = 0, there, window = 0, askAt = 0, tries = 0, asked = true) {
  const send = (type, more) => socket.send(encode({ v: 1, type, session: self.session, epoch: self.epoch, ...more }));
  for (;;) { // until the connection is lost: then send throws
    readSensor();
    if (performance.now() >= askAt) { // after connecting, a step back, silence; and when idle
      change({ session: self.session + 1 });
      await send("ask", { spool: self.id, held: last - applied, spooled: last });
      [asked, window, askAt] = [true, 0, performance.now() + silence * 2 ** Math.min(tries++, 3)];
    }
    for (let number; sent < last && sent - applied < window; sent = number) {
      number = Math.max(sent + 1, first);
      const { tag, body } = read(number), lost = number > sent + 1 && { lost: sent + 1, tag: Buffer.concat([there, tag.subarray(4)]) };
      await send("batch", { number, tag, body, ...lost });
    }
    const frame = await socket.receive().then(([bytes]) => bytes, (error) => { if (error.code !== "EAGAIN") throw error; });
    for (const { type, session, epoch, status, number, tag, window: granted, wait_ms } of frame ? decodeMulti(frame) : []) {
      if (type !== "answer" || session !== self.session) continue;
      if (status === "later" || status === "refused") [window, askAt] = [0, performance.now() + (wait_ms ?? silence)];
      else if (status === "fenced" || (self.epoch && epoch > self.epoch) || number > last ||
          Buffer.compare(read(number)?.tag.subarray(4) ?? read(number + 1)?.tag.subarray(0, 4) ?? tag.subarray(4), tag.subarray(4)))
        process.exit(console.error(`${status}, number ${number}: a newer spool took over, or this one is a copy or was rolled back`) ?? 1);
      else if (!asked && (status === "gap" || number < applied)) [window, askAt] = [0, 0];
      else {
        if (!self.epoch) change({ epoch });
        [sent, applied, window, there] = [asked ? number : Math.max(sent, number), number, granted, tag.subarray(4)];
        [asked, tries, askAt] = [false, 0, performance.now() + silence];
        while (first < applied && read(first).made < Date.now() - 7 * 86400e3) fs.unlinkSync(`${SPOOL}/${first++}`);
      }
    }
  }
}

const key = (name) => fs.readFileSync(`${KEYS}/${name}`, "latin1").trim(), me = `gateway.${BRANCH}.${NAME}`;
const options = { immediate: true, linger: 0, heartbeatInterval: 2000, heartbeatTimeout: 6000, sendTimeout: 2000, receiveTimeout: 50,
  reconnectInterval: -1, curveServerKey: key("broker.pub"), curvePublicKey: key(`${me}.pub`), curveSecretKey: key(`${me}.key`) };
for (;; await new Promise((done) => setTimeout(done, 100 + 900 * Math.random()))) { // a new connection begins with an ask
  const socket = new Dealer(options);
  socket.connect(BROKER);
  await talk(socket).catch((problem) => console.error("connecting again:", problem.message));
  socket.close();
}
