// The official SDK for Node, unmodified, at the endpoints that are passed through.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import OpenAI, {toFile} from 'openai';

const client = new OpenAI({baseURL: process.env.TOLLGATE_MEDIA_URL, apiKey: 'none', maxRetries: 0, timeout: 30_000});

test('images come with their usage and their cost', async () => {
  const {data: made, response} = await client.images.generate({model: 'pictures', prompt: 'a cat'}).withResponse();
  assert.ok(Buffer.from(made.data[0].b64_json, 'base64').subarray(1, 4).equals(Buffer.from('PNG')));
  assert.ok(made.usage.output_tokens > 0);
  assert.match(response.headers.get('x-tollgate-cost-usd'), /^0\.\d+$/);
});

test('images come in a stream', async () => {
  const types = [];
  for await (const event of await client.images.generate({model: 'pictures', prompt: 'a cat', stream: true})) types.push(event.type);
  assert.deepEqual(types, ['image_generation.partial_image', 'image_generation.completed']);
});

test('speech comes as a stream of bytes', async () => {
  const answer = await client.audio.speech.create({model: 'voice', voice: 'alloy', input: 'Hello. '.repeat(7000), response_format: 'wav'});
  let bytes = 0;
  for await (const chunk of answer.body) bytes += chunk.length;
  assert.ok(bytes > 1_000_000);
});

test('a transcript is made of an uploaded file, whose model this SDK writes behind it', async () => {
  const said = await client.audio.transcriptions.create({file: await toFile(Buffer.alloc(5000), 'a.wav'), model: 'ears'});
  assert.equal(said.text, 'A simulated transcript of 5000 bytes of sound.');
});

test('moderations', async () => {
  assert.equal((await client.moderations.create({input: 'one'})).results[0].flagged, false);
});

test('files are made, listed, read and deleted', async () => {
  const content = Buffer.from('{"a": 1}\n'.repeat(300_000));
  const kept = await client.files.create({file: await toFile(content, 'in.jsonl'), purpose: 'batch'});
  assert.equal(kept.bytes, content.length);
  const listed = [];
  for await (const each of client.files.list()) listed.push(each.id);
  assert.ok(listed.includes(kept.id));
  assert.equal((await client.files.retrieve(kept.id)).filename, 'in.jsonl');
  assert.ok(Buffer.from(await (await client.files.content(kept.id)).arrayBuffer()).equals(content));
  assert.equal((await client.files.delete(kept.id)).deleted, true);
  await assert.rejects(client.files.retrieve(kept.id), OpenAI.NotFoundError);
});
