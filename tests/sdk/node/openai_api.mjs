// Every case of the OpenAI table through the package openai.
//
// Usage: openai_api.mjs BASE_URL FOLDER [fault]. The folder holds photo.png, photo.jpg and report.pdf. One JSON line per
// case is printed: {"case": name, ...what was seen}, or {"case": name, "error": {...}} where the SDK threw. With `fault`
// one long stream is read instead, which says when it has begun, so that it can be broken.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import OpenAI, { APIError } from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import { stateCases } from "./openai_state.mjs";

const [baseUrl, folder, mode] = process.argv.slice(2);
const client = new OpenAI({ apiKey: "any", baseURL: `${baseUrl}/v1`, maxRetries: 0, timeout: 120_000 });

const MODEL = "gpt-4o-mini";
const EMBEDDING_MODEL = "text-embedding-3-small";
const HELLO = [{ role: "user", content: "Hello" }];
const WEATHER_QUESTION = [{ role: "user", content: "What is the weather in Paris?" }];
const WEATHER = {
  type: "function",
  function: {
    name: "get_weather",
    description: "Get the weather in a city",
    parameters: {
      type: "object",
      properties: { city: { type: "string", maxLength: 40 }, days: { type: "integer", maximum: 9 } },
      required: ["city", "days"],
      additionalProperties: false,
    },
  },
};
const MUST_CALL = { tools: [WEATHER], tool_choice: "required", parallel_tool_calls: false, max_tokens: 200 };
const RECIPE = {
  type: "object",
  properties: {
    title: { type: "string", maxLength: 20 },
    taste: { type: "string", enum: ["sweet", "sour"] },
    grams: { type: "array", items: { type: "integer", minimum: 0, maximum: 99 }, maxItems: 2 },
    note: { anyOf: [{ type: "string", maxLength: 5 }, { type: "null" }] },
  },
  required: ["title", "taste", "grams", "note"],
  additionalProperties: false,
};
const Answer = z.object({
  taste: z.enum(["sweet", "sour"]),
  large: z.boolean(),
  grams: z.number().int().min(0).max(99).nullable(),
});

const ask = (messages, body) => client.chat.completions.create({ model: MODEL, messages, ...body });

async function all(asynchronous) {
  const found = [];
  for await (const one of asynchronous) found.push(one);
  return found;
}

const usage = ({ usage: counts }) => ({
  prompt_tokens: counts.prompt_tokens,
  output_tokens: counts.completion_tokens,
  total_tokens: counts.total_tokens,
});

const callsOf = (message) =>
  (message.tool_calls ?? []).map((one) => ({
    id: one.id,
    name: one.function.name,
    args: JSON.parse(one.function.arguments),
  }));

async function refusal(call) {
  try {
    await call();
  } catch (error) {
    if (!(error instanceof APIError)) throw error;
    return {
      type: error.constructor.name,
      code: error.status,
      reason: error.code,
      param: error.param,
      message: error.message,
      request_id: error.requestID,
    };
  }
  return {};
}

async function shown(part) {
  const question = { type: "text", text: "What is it?" };
  const answer = await ask([{ role: "user", content: [question, part] }], { max_tokens: 4 });
  return {
    text: answer.choices[0].message.content,
    with: usage(answer),
    without: usage(await ask([{ role: "user", content: [question] }], { max_tokens: 4 })),
  };
}

const dataUrl = (name, mime) => `data:${mime};base64,${readFileSync(join(folder, name)).toString("base64")}`;

const cases = {
  async text() {
    const answer = await ask(HELLO, { temperature: 0, max_tokens: 60 });
    const [choice] = answer.choices;
    return {
      text: choice.message.content,
      role: choice.message.role,
      finish: choice.finish_reason,
      model: answer.model,
      object: answer.object,
      id: answer.id,
      fingerprint: answer.system_fingerprint,
      ...usage(answer),
    };
  },

  async stream() {
    const schema = { type: "array", items: { type: "string" }, minItems: 30 };
    const wanted = {
      max_tokens: 40,
      response_format: { type: "json_schema", json_schema: { name: "words", schema } },
    };
    const whole = await ask(HELLO, wanted);
    const chunks = await all(await ask(HELLO, { ...wanted, stream: true, stream_options: { include_usage: true } }));
    const pieces = chunks.flatMap((chunk) => chunk.choices);
    return {
      plain: whole.choices[0].message.content,
      chunks: pieces.map((piece) => piece.delta.content ?? ""),
      finish: pieces.map((piece) => piece.finish_reason),
      ids: chunks.map((chunk) => chunk.id),
      usage: usage(chunks.at(-1)),
      plain_usage: usage(whole),
    };
  },

  async chat() {
    const history = [];
    const seen = { texts: [], prompt_tokens: [] };
    for (const content of ["Hello", "Who are you?", "Bye"]) {
      history.push({ role: "user", content });
      const answer = await ask(history, { temperature: 0, max_tokens: 16 });
      history.push(answer.choices[0].message);
      seen.texts.push(answer.choices[0].message.content);
      seen.prompt_tokens.push(answer.usage.prompt_tokens);
    }
    return seen;
  },

  async system() {
    const config = { temperature: 0, max_tokens: 16 };
    const answer = await ask([{ role: "system", content: "Answer in one short sentence." }, ...HELLO], config);
    return {
      text: answer.choices[0].message.content,
      with: usage(answer),
      without: usage(await ask(HELLO, config)),
    };
  },

  async choices() {
    const config = { n: 5, max_tokens: 8, temperature: 2.0 };
    const request = [{ role: "user", content: "Reverse the words: potato engine silver moon river table candle" }];
    const streamed = ["", "", "", "", ""];
    for await (const chunk of await ask(request, { ...config, stream: true })) {
      for (const piece of chunk.choices) streamed[piece.index] += piece.delta.content ?? "";
    }
    const texts = async () => (await ask(request, config)).choices.map((one) => one.message.content);
    return { first: await texts(), second: await texts(), streamed };
  },

  image: () => shown({ type: "image_url", image_url: { url: dataUrl("photo.png", "image/png") } }),
  pdf: () =>
    shown({ type: "file", file: { filename: "report.pdf", file_data: dataUrl("report.pdf", "application/pdf") } }),

  async schema() {
    const json_schema = { name: "recipe", schema: RECIPE, strict: true };
    const answer = await ask(HELLO, { response_format: { type: "json_schema", json_schema }, max_tokens: 400 });
    return { text: answer.choices[0].message.content, finish: answer.choices[0].finish_reason };
  },

  async parsed() {
    const answer = await client.chat.completions.parse({
      model: MODEL,
      messages: HELLO,
      response_format: zodResponseFormat(Answer, "answer"),
      max_tokens: 400,
    });
    return { parsed: answer.choices[0].message.parsed, finish: answer.choices[0].finish_reason };
  },

  async tools() {
    const answer = await ask(WEATHER_QUESTION, MUST_CALL);
    const [choice] = answer.choices;
    return { calls: callsOf(choice.message), finish: choice.finish_reason, text: choice.message.content };
  },

  async tools_stream() {
    const stream = client.chat.completions.stream({ model: MODEL, messages: WEATHER_QUESTION, ...MUST_CALL });
    let finished = 0;
    stream.on("tool_calls.function.arguments.done", () => (finished += 1));
    const [choice] = (await stream.finalChatCompletion()).choices;
    return {
      calls: callsOf(choice.message),
      finish: choice.finish_reason,
      text: choice.message.content,
      finished,
    };
  },

  async tool_result() {
    const asked = await ask(WEATHER_QUESTION, MUST_CALL);
    const { message } = asked.choices[0];
    const results = message.tool_calls.map((one) => ({
      role: "tool",
      tool_call_id: one.id,
      content: '{"sky": "clear"}',
    }));
    const history = [...WEATHER_QUESTION, message, ...results];
    const told = await ask(history, { tools: [WEATHER], tool_choice: "none", max_tokens: 30 });
    return {
      text: told.choices[0].message.content,
      finish: told.choices[0].finish_reason,
      prompt_tokens: [asked.usage.prompt_tokens, told.usage.prompt_tokens],
    };
  },

  async run_tools() {
    const called = [];
    const runner = client.chat.completions.runTools({
      model: MODEL,
      messages: WEATHER_QUESTION,
      temperature: 0,
      max_tokens: 60,
      tools: [
        {
          type: "function",
          function: {
            name: "get_weather",
            description: "Get the weather in a city",
            parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
            parse: JSON.parse,
            function: ({ city }) => {
              called.push(city);
              return { sky: "clear" };
            },
          },
        },
      ],
    });
    return { called, text: await runner.finalContent() };
  },

  async logprobs() {
    const answer = await ask(HELLO, { temperature: 0, max_tokens: 8, logprobs: true, top_logprobs: 3 });
    const [choice] = answer.choices;
    return {
      text: choice.message.content,
      tokens: choice.logprobs.content.map((one) => one.token),
      logprobs: choice.logprobs.content.map((one) => one.logprob),
      alternatives: choice.logprobs.content.map((one) => one.top_logprobs.length),
    };
  },

  async embed() {
    const vectors = async (input) => {
      const answer = await client.embeddings.create({ model: EMBEDDING_MODEL, input, dimensions: 64 });
      return answer.data.map((one) => one.embedding);
    };
    return {
      one: await vectors("A red apple"),
      many: await vectors(["A red apple", "Three green pears", "A stone"]),
    };
  },

  async models() {
    const listed = await all(await client.models.list());
    return { names: listed.map((one) => one.id), name: (await client.models.retrieve(MODEL)).id };
  },

  error_400: async () => ({ refused: await refusal(() => ask(HELLO, { temperature: 3 })) }),
  error_400_stream: async () => ({
    refused: await refusal(async () => all(await ask(HELLO, { temperature: 3, stream: true }))),
  }),
  error_404: async () => ({ refused: await refusal(() => client.models.delete("another")) }),
};

Object.assign(cases, stateCases({ client, folder, all, refusal }));

async function fault() {
  const schema = { type: "array", items: { type: "string", enum: ["abcdefghijklmnop"] }, minItems: 2000 };
  const response_format = { type: "json_schema", json_schema: { name: "words", schema } };
  const received = [];
  let refused = {};
  try {
    for await (const chunk of await ask(HELLO, { response_format, max_tokens: 8000, stream: true })) {
      if (!received.length) console.log(JSON.stringify({ case: "begun" }));
      received.push(chunk.choices[0].finish_reason);
    }
  } catch (error) {
    refused = { type: error.constructor.name, kind: error.type, message: error.message };
  }
  return { refused, ended: received.some(Boolean) };
}

for (const [name, run] of Object.entries(mode === "fault" ? { fault } : cases)) {
  let seen;
  try {
    seen = await run();
  } catch (error) {
    seen = { error: { type: error.name, message: error.message } };
  }
  console.log(JSON.stringify({ case: name, ...seen }));
}
