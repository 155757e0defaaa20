// A browser that leaves a page: the stream is given up, the connection of HTTP/2 stays. Reads a stream up to a word,
// resets it, prints what it read, and keeps the connection until its standard input ends.
// node leave.mjs https://host:port /path authority.pem word

import { readFileSync } from "node:fs";
import { connect, constants } from "node:http2";

const [url, path, authority, word] = process.argv.slice(2);
const session = connect(url, { ca: readFileSync(authority) });
const stream = session.request({ ":path": path, accept: "text/event-stream" });
let text = "";
stream.setEncoding("utf8");
stream.on("data", (chunk) => {
  text += chunk;
  if (!text.includes(word)) return;
  stream.close(constants.NGHTTP2_CANCEL);
  process.stdout.write(text);
});
process.stdin.on("end", () => session.destroy()).resume();
