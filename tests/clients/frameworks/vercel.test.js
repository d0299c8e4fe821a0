// The Vercel AI SDK, unmodified: each of its providers completes a tool loop, whole and in a stream.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {createAnthropic} from '@ai-sdk/anthropic';
import {createOpenAI} from '@ai-sdk/openai';
import {generateText, stepCountIs, streamText, tool} from 'ai';
import {z} from 'zod';

const baseURL = `${process.env.TOLLGATE_URL}/v1`;
const openai = createOpenAI({baseURL, apiKey: 'none'}), anthropic = createAnthropic({baseURL, apiKey: 'none'});
const ways = {chat: (model) => openai.chat(model), responses: (model) => openai.responses(model), anthropic};

const get_weather = tool({
  description: 'The weather in a city',
  inputSchema: z.object({city: z.string()}),
  execute: async ({city}) => `18 degrees in ${city}`,
});

for (const model of process.env.TOLLGATE_TARGETS.split(' ')) {
  for (const [way, provider] of Object.entries(ways)) {
    const asked = () => ({
      model: provider(model), tools: {get_weather}, stopWhen: stepCountIs(3), maxRetries: 0, maxOutputTokens: 300,
      prompt: 'Use get_weather for Paris, then answer.',
    });
    test(`${way} to ${model}: a tool loop comes round`, async () => {
      const {steps, text} = await generateText(asked());
      assert.deepEqual(steps.map((step) => step.finishReason), ['tool-calls', 'stop']);
      assert.equal(steps[0].toolCalls[0].toolName, 'get_weather');
      assert.ok(text);
    });
    test(`${way} to ${model}: a tool loop comes round in streams`, async () => {
      const errors = [];
      const stream = streamText({...asked(), onError: ({error}) => errors.push(error)});
      let text = '';
      for await (const piece of stream.textStream) text += piece;
      assert.deepEqual(errors, []);
      assert.deepEqual((await stream.steps).map((step) => step.finishReason), ['tool-calls', 'stop']);
      assert.ok(text);
    });
  }
}
