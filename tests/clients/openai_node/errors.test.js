// Errors, time-outs, aborts and crowds, as the official SDK for Node meets them.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import OpenAI from 'openai';
import {ask, client, engineRequests, until} from './support.js';

test('a wrong type is a BadRequestError that names the field', async () => {
  await assert.rejects(ask('Hello', {max_tokens: 'many'}), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.equal(error.param, 'max_tokens');
    assert.ok(error.requestID);
    return true;
  });
});

test('an unknown key is an AuthenticationError', async () => {
  const stranger = client.withOptions({apiKey: 'tg-wrong'});
  await assert.rejects(stranger.models.list(), OpenAI.AuthenticationError);
});

test('an unknown model is a NotFoundError', async () => {
  await assert.rejects(ask('Hello', {model: 'no-such-model'}), (error) => {
    assert.ok(error instanceof OpenAI.NotFoundError);
    assert.equal(error.code, 'model_not_found');
    return true;
  });
});

for (const stream of [false, true]) {
  test(`a 429 is a RateLimitError with its retry-after (stream: ${stream})`, async () => {
    await assert.rejects(ask('[[sim-fault: status=429,retry-after=1]]', {model: 'gpu/llama', stream}), (error) => {
      assert.ok(error instanceof OpenAI.RateLimitError);
      assert.equal(error.headers.get('retry-after'), '1');
      return true;
    });
  });
}

for (const status of [500, 502, 503]) {
  test(`a ${status} is an InternalServerError`, async () => {
    await assert.rejects(ask(`[[sim-fault: status=${status}]]`, {model: 'managed/large'}), OpenAI.InternalServerError);
  });
}

test('a stream that breaks off throws', async () => {
  let seen = 0;
  await assert.rejects(async () => {
    for await (const chunk of await ask('[[sim-fault: cut=5]] [[sim-tokens: 50]]', {model: 'gpu/llama', stream: true})) seen += chunk.choices.length;
  }, OpenAI.APIError);
  assert.ok(seen > 0);
});

test('a time-out of the SDK aborts the upstream', async () => {
  await assert.rejects(ask('[[sim-fault: delay=5s]]', {model: 'gpu/llama'}, {timeout: 300}), OpenAI.APIConnectionTimeoutError);
  const stopped = (record) => record.finish_reason === 'abort' && record.fault.includes('delay');
  await until(async () => (await engineRequests()).some(stopped), 'the engine to see the abort');
});

test('an abort stops the engine', async () => {
  const stream = await ask('[[sim-tokens: 5000]]', {model: 'gpu/llama', stream: true});
  let id, seen = 0;
  for await (const chunk of stream) {
    id = chunk.id;
    if (++seen === 5) break;             // the SDK aborts its request
  }
  const record = await until(async () => (await engineRequests()).find((each) => each.response_id === id), 'the engine\'s record');
  assert.equal(record.finish_reason, 'abort');
  assert.ok(record.generated_tokens < 1000);
});

for (const stream of [false, true]) {
  test(`200 at once and none mixed up (stream: ${stream})`, async () => {
    const one = async (number) => {
      const text = `answer number ${number} of many`;
      const made = await ask(`[[sim-echo: ${text}]]`, {model: number % 2 ? 'auto' : 'managed/large', stream});
      if (!stream) return assert.equal(made.choices[0].message.content, text);
      let got = '';
      for await (const chunk of made) got += chunk.choices[0]?.delta.content ?? '';
      return assert.equal(got, text);
    };
    await Promise.all(Array.from({length: 200}, (_, number) => one(number)));
  });
}
