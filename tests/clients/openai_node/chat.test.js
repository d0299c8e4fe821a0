// The official SDK for Node, unmodified: chat, streams, tools, completions, embeddings, models.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {ask, client} from './support.js';

const weather = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'The weather in a city',
    parameters: {type: 'object', properties: {city: {type: 'string'}}, required: ['city']},
  },
};
const targets = ['gpu/llama', 'managed/large'];

test('an answer has text and usage', async () => {
  const answer = await ask('[[sim-echo: Paris it is]] What is the capital of France?');
  assert.equal(answer.choices[0].message.content, 'Paris it is');
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
});

test('the headers say where an answer came from and what it cost', async () => {
  const {data, response} = await ask('What is the capital of France?').withResponse();
  assert.equal(response.headers.get('x-tollgate-target'), 'gpu/llama');
  assert.equal(response.headers.get('x-tollgate-route'), 'auto');
  assert.match(response.headers.get('x-tollgate-cost-usd'), /^0\.\d+$/);
  assert.equal(response.headers.get('x-tollgate-request-id'), data._request_id);
});

test('usage.cost comes when usage.include asks for it', async () => {
  const answer = await ask('Hello', {model: 'managed/large', usage: {include: true}});
  assert.ok(answer.usage.cost > 0);
  assert.equal((await ask('Hello')).usage.cost, undefined);
});

for (const model of targets) {
  test(`${model}: a stream gives the text piece by piece`, async () => {
    let text = '', last, count = 0;
    for await (const chunk of await ask('[[sim-echo: one two three four five]]', {model, stream: true})) {
      assert.equal(chunk.usage ?? null, null);
      text += chunk.choices[0].delta.content ?? '';
      last = chunk;
      ++count;
    }
    assert.equal(text, 'one two three four five');
    assert.equal(last.choices[0].finish_reason, 'stop');
    assert.ok(count > 3);
  });

  test(`${model}: with include_usage the last chunk alone has usage`, async () => {
    const chunks = [];
    const stream = await ask('[[sim-tokens: 12]]', {model, stream: true, stream_options: {include_usage: true}});
    for await (const chunk of stream) chunks.push(chunk);
    const last = chunks.pop();
    assert.ok(chunks.every((chunk) => (chunk.usage ?? null) === null));
    assert.deepEqual(last.choices, []);
    assert.equal(last.usage.completion_tokens, 12);
  });

  test(`${model}: a tool call in a stream adds up`, async () => {
    let name = '', text = '', reason = null;
    const stream = await ask('What is the weather in Oslo?', {model, tools: [weather], tool_choice: 'required', stream: true});
    for await (const chunk of stream) {
      for (const choice of chunk.choices) {
        reason = choice.finish_reason ?? reason;
        for (const call of choice.delta.tool_calls ?? []) {
          name += call.function.name ?? '';
          text += call.function.arguments ?? '';
        }
      }
    }
    assert.equal(name, 'get_weather');
    assert.equal(reason, 'tool_calls');
    assert.equal(typeof JSON.parse(text), 'object');
  });
}

test('a tool call comes back whole', async () => {
  const answer = await ask('What is the weather in Oslo?', {tools: [weather], tool_choice: 'required'});
  assert.equal(answer.choices[0].finish_reason, 'tool_calls');
  assert.equal(answer.choices[0].message.tool_calls[0].function.name, 'get_weather');
});

test('the stream helper of the SDK works', async () => {
  const stream = client.chat.completions.stream({model: 'auto', messages: [{role: 'user', content: '[[sim-echo: a b c]]'}]});
  assert.equal(await stream.finalContent(), 'a b c');
});

test('completions work', async () => {
  const answer = await client.completions.create({model: 'gpu/llama', prompt: 'Once upon a time'});
  assert.equal(answer.object, 'text_completion');
  assert.ok(answer.choices[0].text);
});

test('embeddings work in the default encoding of the SDK and as floats', async () => {
  const make = (more) => client.embeddings.create({model: 'managed/embed', input: ['one', 'two'], ...more});
  const packed = await make({}), plain = await make({encoding_format: 'float'});
  assert.equal(packed.data.length, 2);
  assert.equal(packed.data[0].embedding.length, plain.data[0].embedding.length);
  assert.ok(Math.abs(packed.data[0].embedding[0] - plain.data[0].embedding[0]) < 1e-6);
});

test('models lists virtual models and every target', async () => {
  const ids = [];
  for await (const model of client.models.list()) ids.push(model.id);
  for (const id of ['auto', ...targets, 'managed/embed']) assert.ok(ids.includes(id), id);
  assert.equal((await client.models.retrieve('auto')).id, 'auto');
});
