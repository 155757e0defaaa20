// Reads Server-Sent Events as npm's eventsource-parser does. On stdin a JSON list of streams, each {data: base64, size},
// which the parser is given in pieces of so many bytes; on stdout one JSON per event: [number of its stream, event].
import { createParser } from "eventsource-parser";

function* events(bytes, size) {
  const found = [];
  const refuse = (error) => {
    throw error;
  };
  const parser = createParser({ onEvent: (event) => found.push(event), onError: refuse });
  const decoder = new TextDecoder("utf-8", { fatal: true });
  for (let start = 0; start < bytes.length; start += size) {
    // A piece may end within a character: the decoder keeps its beginning, and the parser then may get nothing.
    parser.feed(decoder.decode(bytes.subarray(start, start + size), { stream: true }));
    yield* found.splice(0);
  }
  decoder.decode();
}

let input = "";
for await (const piece of process.stdin.setEncoding("utf8")) input += piece;
for (const [number, { data, size }] of JSON.parse(input).entries()) {
  for (const event of events(Buffer.from(data, "base64"), size)) process.stdout.write(`${JSON.stringify([number, event])}\n`);
}
