// The official SDK for Node, unmodified, to backends of every dialect: chat completions and Responses.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import OpenAI from 'openai';

const client = new OpenAI({baseURL: process.env.TOLLGATE_FLEET_URL, apiKey: 'none', maxRetries: 0, timeout: 30_000});
const parameters = {type: 'object', properties: {city: {type: 'string'}}, required: ['city']};
const weather = {name: 'get_weather', description: 'The weather in a city', parameters};
const question = 'Use get_weather for Paris, then answer.';

for (const model of process.env.TOLLGATE_FLEET_TARGETS.split(' ')) {
  test(`${model}: a chat's tool loop comes round in a stream`, async () => {
    const messages = [{role: 'user', content: question}], tools = [{type: 'function', function: weather}];
    const first = await client.chat.completions.stream({model, messages, tools}).finalMessage();
    const [call] = first.tool_calls;
    assert.ok('city' in JSON.parse(call.function.arguments));
    messages.push(first, {role: 'tool', tool_call_id: call.id, content: '18 degrees'});
    const last = await client.chat.completions.create({model, messages, tools});
    assert.equal(last.choices[0].finish_reason, 'stop');
  });

  test(`${model}: a response and its stream say the same`, async () => {
    const asked = {model, instructions: 'Be brief.', input: '[[sim-echo: Grüße, 世界]] Hello'};
    const whole = await client.responses.create(asked);
    assert.equal(whole.output_text, 'Grüße, 世界');
    const stream = client.responses.stream(asked);
    let text = '';
    stream.on('response.output_text.delta', (event) => (text += event.delta));
    const final = await stream.finalResponse();
    assert.equal(text, 'Grüße, 世界');
    assert.equal(final.status, 'completed');
    assert.deepEqual(final.usage, whole.usage);
  });

  test(`${model}: a response's tool loop comes round in a stream`, async () => {
    const input = [{role: 'user', content: question}], tools = [{type: 'function', strict: false, ...weather}];
    const first = await client.responses.stream({model, input, tools}).finalResponse();
    const call = first.output.find((item) => item.type === 'function_call');
    assert.ok('city' in JSON.parse(call.arguments));
    input.push(...first.output, {type: 'function_call_output', call_id: call.call_id, output: '18 degrees'});
    assert.ok((await client.responses.create({model, input, tools})).output_text);
  });

  test(`${model}: errors of both are the SDK's own`, async () => {
    const text = '[[sim-fault: status=429]] x';
    await assert.rejects(client.responses.create({model, input: text}), OpenAI.RateLimitError);
    await assert.rejects(client.chat.completions.create({model, messages: [{role: 'user', content: text}]}), OpenAI.RateLimitError);
  });
}
