// A reporter of `node --test`: the files in which a test failed, a line each.
export default async function* failing(events) {
  for await (const { type, data } of events) if (type === 'test:fail') yield `${data.file}\n`;
}
