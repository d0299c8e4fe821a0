// Server-sent events of an answer to fetch(): EventSource can only GET.

/** Calls each(name, data) for every event of a stream. */
export async function readEvents(body, each) {
  const decoder = new TextDecoder(), reader = body.getReader();
  let rest = "";
  for (;;) {
    const {done, value} = await reader.read();
    if (done) return;
    const events = (rest + decoder.decode(value, {stream: true})).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      let name = "message";
      for (const line of event.split("\n")) {
        if (line.startsWith("event:")) name = line.slice(6).trim();
        if (line.startsWith("data:")) each(name, line.slice(5).trim());
      }
    }
  }
}
