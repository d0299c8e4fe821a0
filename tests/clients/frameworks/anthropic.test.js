// Anthropic's SDK for Node, unmodified, to backends of every dialect.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import Anthropic from '@anthropic-ai/sdk';

const client = new Anthropic({baseURL: process.env.TOLLGATE_URL, apiKey: 'none', maxRetries: 0, timeout: 30_000});
const weather = {name: 'get_weather', input_schema: {type: 'object', properties: {city: {type: 'string'}}, required: ['city']}};
const user = (content) => [{role: 'user', content}];

for (const model of process.env.TOLLGATE_TARGETS.split(' ')) {
  const asked = {model, max_tokens: 300};

  test(`${model}: an answer and its stream say the same`, async () => {
    const messages = user('[[sim-echo: Grüße, 世界]] Hello');
    const whole = await client.messages.create({...asked, messages});
    const stream = client.messages.stream({...asked, messages});
    let text = '';
    stream.on('text', (piece) => (text += piece));
    const final = await stream.finalMessage();
    assert.equal(whole.content[0].text, 'Grüße, 世界');
    assert.equal(text, 'Grüße, 世界');
    assert.deepEqual(final.usage.output_tokens, whole.usage.output_tokens);
    assert.ok(whole._request_id);
  });

  test(`${model}: a tool loop comes round`, async () => {
    const messages = user('Use get_weather for Paris, then answer.');
    const first = await client.messages.stream({...asked, messages, tools: [weather]}).finalMessage();
    assert.equal(first.stop_reason, 'tool_use');
    const call = first.content.find((block) => block.type === 'tool_use');
    assert.ok('city' in call.input);
    messages.push({role: 'assistant', content: first.content}, {role: 'user', content: [{type: 'tool_result', tool_use_id: call.id, content: '18 degrees'}]});
    const last = await client.messages.create({...asked, messages, tools: [weather]});
    assert.equal(last.stop_reason, 'end_turn');
  });

  test(`${model}: errors and breaks are the SDK's own`, async () => {
    await assert.rejects(client.messages.create({...asked, messages: user('[[sim-fault: status=429]] x')}), Anthropic.RateLimitError);
    await assert.rejects(client.messages.stream({...asked, messages: user('[[sim-fault: cut=5]] [[sim-tokens: 50]] x')}).finalMessage(), Anthropic.APIError);
  });

  test(`${model}: tokens are counted`, async () => {
    assert.ok((await client.messages.countTokens({model, messages: user('Hello')})).input_tokens > 0);
  });
}
