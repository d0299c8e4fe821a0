// The running gateway that run.py started, and a client for it.
import OpenAI from 'openai';

export const url = process.env.TOLLGATE_URL;
export const engineUrl = process.env.TOLLGATE_ENGINE_URL;   // the simulated engine itself, for what it says of a request
if (!url || !engineUrl) throw new Error('start these tests by run.py: it starts the gateway and says where it listens');

export const client = new OpenAI({baseURL: url, apiKey: process.env.TOLLGATE_KEY, maxRetries: 0, timeout: 30_000});

export function ask(content, members = {}, options = {}) {
  const {model = 'auto', ...rest} = members;
  return client.chat.completions.create({model, messages: [{role: 'user', content}], ...rest}, options);
}

export async function until(condition, what, seconds = 5) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await condition();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`waited ${seconds} s in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export async function engineRequests() {
  const answer = await fetch(`${engineUrl}/sim/requests?limit=10000`);
  return (await answer.json()).requests;
}
