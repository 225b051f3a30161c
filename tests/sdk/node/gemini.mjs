// Every case of the Gemini table through @google/genai.
//
// Usage: gemini.mjs BASE_URL FOLDER [fault]. The folder holds photo.png, photo.jpg and report.pdf. One JSON line per case
// is printed: {"case": name, ...what was seen}, or {"case": name, "error": {...}} where the SDK threw. With `fault` one long
// stream is read instead, which says when it has begun, so that it can be broken.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { ApiError, GoogleGenAI } from "@google/genai";
import { z } from "zod";

const [baseUrl, folder, mode] = process.argv.slice(2);
const client = new GoogleGenAI({ apiKey: "test-key", httpOptions: { baseUrl, timeout: 120_000 } });

const MODEL = "gemini-2.5-flash";
const EMBEDDING_MODEL = "gemini-embedding-001";
const LONG = {
  maxOutputTokens: 40,
  responseMimeType: "application/json",
  responseSchema: { type: "ARRAY", items: { type: "STRING" }, minItems: "30" },
};
const WEATHER = {
  name: "get_weather",
  description: "Get the weather in a city",
  parameters: {
    type: "OBJECT",
    properties: { city: { type: "STRING", maxLength: "40" }, days: { type: "INTEGER", maximum: 9 } },
    required: ["city", "days"],
  },
};
const MUST_CALL = {
  maxOutputTokens: 200,
  tools: [{ functionDeclarations: [WEATHER] }],
  toolConfig: { functionCallingConfig: { mode: "ANY" } },
};
const ENDED = ["JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED", "JOB_STATE_EXPIRED"];
const POLL_MILLISECONDS = 50;

const ask = (contents, config) => client.models.generateContent({ model: MODEL, contents, config });
const pieces = async (contents, config) =>
  all(await client.models.generateContentStream({ model: MODEL, contents, config }));
const finish = (answer) => answer.candidates[0].finishReason ?? null;

async function all(asynchronous) {
  const found = [];
  for await (const one of asynchronous) found.push(one);
  return found;
}

function inline(name, mimeType) {
  return { inlineData: { data: readFileSync(join(folder, name)).toString("base64"), mimeType } };
}

function usage(answer) {
  const counts = answer.usageMetadata;
  return {
    prompt_tokens: counts.promptTokenCount,
    output_tokens: counts.candidatesTokenCount,
    total_tokens: counts.totalTokenCount,
    prompt_details: Object.fromEntries((counts.promptTokensDetails ?? []).map((one) => [one.modality, one.tokenCount])),
  };
}

async function refusal(call) {
  try {
    await call();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    // This SDK hands on the body of the answer as the message: for streams as the message within another body, or after
    // a few words of its own.
    let body = JSON.parse(error.message.slice(error.message.indexOf("{"))).error;
    if (body.message.startsWith("{")) body = JSON.parse(body.message).error;
    return { type: error.name, code: error.status, status: body.status, message: body.message };
  }
  return {};
}

async function chatOf(streamed) {
  const chat = client.chats.create({ model: MODEL, config: { maxOutputTokens: 16, temperature: 0 } });
  const seen = { texts: [], prompt_tokens: [] };
  for (const message of ["Hello", "Who are you?", "Bye"]) {
    const answers = streamed
      ? await all(await chat.sendMessageStream({ message }))
      : [await chat.sendMessage({ message })];
    seen.texts.push(answers.map((answer) => answer.text ?? "").join(""));
    seen.prompt_tokens.push(answers.at(-1).usageMetadata.promptTokenCount);
  }
  seen.users = chat.getHistory(true).filter((content) => content.role === "user").length;
  return seen;
}

async function media(name, mimeType) {
  const contents = [inline(name, mimeType), "What is it?"];
  const answer = await ask(contents, { maxOutputTokens: 4 });
  const counted = await client.models.countTokens({ model: MODEL, contents });
  return { text: answer.text, counted: counted.totalTokens, ...usage(answer) };
}

const callsOf = (answers) =>
  answers.flatMap((answer) => answer.functionCalls ?? []).map(({ name, args }) => ({ name, args }));

const cases = {
  async text() {
    const answer = await ask("Hello", { temperature: 0, maxOutputTokens: 60 });
    return {
      text: answer.text,
      role: answer.candidates[0].content.role,
      finish: finish(answer),
      model: answer.modelVersion,
      id: answer.responseId,
      ...usage(answer),
    };
  },

  async stream() {
    const chunks = await pieces("List.", LONG);
    return {
      plain: (await ask("List.", LONG)).text,
      chunks: chunks.map((chunk) => chunk.text),
      finish: chunks.map(finish),
      ids: chunks.map((chunk) => chunk.responseId),
      output_tokens: chunks.map((chunk) => chunk.usageMetadata.candidatesTokenCount),
    };
  },

  chat: () => chatOf(false),
  chat_stream: () => chatOf(true),

  async system() {
    const config = { temperature: 0, maxOutputTokens: 16 };
    const answer = await ask("Hello", { systemInstruction: "Answer in one short sentence.", ...config });
    return { text: answer.text, with: usage(answer), without: usage(await ask("Hello", config)) };
  },

  async candidates() {
    const config = { candidateCount: 5, maxOutputTokens: 8, temperature: 2.0 };
    const texts = (answers) => {
      const found = [];
      for (const one of answers.flatMap((answer) => answer.candidates ?? [])) {
        const parts = one.content?.parts ?? [];
        found[one.index ?? 0] = (found[one.index ?? 0] ?? "") + parts.map((part) => part.text ?? "").join("");
      }
      return found;
    };
    const request = "Reverse the words: potato engine silver moon river table candle";
    return {
      first: texts([await ask(request, config)]),
      second: texts([await ask(request, config)]),
      streamed: texts(await pieces(request, config)),
    };
  },

  image_png: () => media("photo.png", "image/png"),
  image_jpeg: () => media("photo.jpg", "image/jpeg"),
  pdf: () => media("report.pdf", "application/pdf"),

  async count() {
    const counted = await client.models.countTokens({ model: MODEL, contents: "Hello" });
    return { counted: counted.totalTokens, ...usage(await ask("Hello")) };
  },

  async schema() {
    const responseSchema = {
      type: "OBJECT",
      properties: {
        title: { type: "STRING", maxLength: "20" },
        taste: { type: "STRING", enum: ["sweet", "sour"], format: "enum" },
        grams: { type: "ARRAY", items: { type: "INTEGER", maximum: 99 }, maxItems: "2" },
        note: { anyOf: [{ type: "STRING", maxLength: "5" }, { type: "INTEGER", maximum: 9 }], nullable: true },
      },
      required: ["title", "taste", "grams", "note"],
      propertyOrdering: ["title", "taste", "grams", "note"],
    };
    const answer = await ask("A recipe.", {
      responseMimeType: "application/json",
      responseSchema,
      maxOutputTokens: 400,
    });
    return { text: answer.text, finish: finish(answer) };
  },

  async json_schema() {
    const responseJsonSchema = {
      $defs: { Leaf: { type: "object", properties: { n: { type: "integer" } }, required: ["n"] } },
      type: "object",
      properties: { leaf: { $ref: "#/$defs/Leaf" }, maybe: { anyOf: [{ type: "boolean" }, { type: "null" }] } },
      required: ["leaf", "maybe"],
      additionalProperties: false,
    };
    const answer = await ask("Go.", {
      responseMimeType: "application/json",
      responseJsonSchema,
      maxOutputTokens: 200,
    });
    return { text: answer.text, finish: finish(answer) };
  },

  async zod() {
    const Recipe = z.object({
      title: z.string().max(20),
      taste: z.enum(["sweet", "sour"]),
      grams: z.array(z.number().int().min(0).max(99)).max(2),
      note: z.string().max(5).nullable(),
    });
    const answer = await ask("A recipe.", {
      responseMimeType: "application/json",
      responseJsonSchema: z.toJSONSchema(Recipe),
      maxOutputTokens: 400,
    });
    return { parsed: Recipe.parse(JSON.parse(answer.text)), finish: finish(answer) };
  },

  async enumeration() {
    const responseSchema = { type: "STRING", enum: ["sweet", "sour"] };
    const bare = await ask("Lemon?", { responseMimeType: "text/x.enum", responseSchema });
    const quoted = await ask("Lemon?", { responseMimeType: "application/json", responseSchema });
    return { bare: bare.text, quoted: quoted.text };
  },

  async function_call() {
    const answer = await ask("What is the weather in Paris?", MUST_CALL);
    return { calls: callsOf([answer]), finish: finish(answer) };
  },

  async function_stream() {
    const chunks = await pieces("What is the weather in Paris?", MUST_CALL);
    return { calls: callsOf(chunks), finish: finish(chunks.at(-1)) };
  },

  async function_result() {
    const question = { role: "user", parts: [{ text: "What is the weather in Paris?" }] };
    const asked = await ask([question], MUST_CALL);
    const parts = asked.functionCalls.map(({ id, name }) => ({
      functionResponse: { id, name, response: { sky: "clear" } },
    }));
    const history = [question, asked.candidates[0].content, { role: "user", parts }];
    const toolConfig = { functionCallingConfig: { mode: "NONE" } };
    const told = await ask(history, { maxOutputTokens: 30, tools: MUST_CALL.tools, toolConfig });
    return {
      text: told.text,
      finish: finish(told),
      prompt_tokens: [usage(asked).prompt_tokens, usage(told).prompt_tokens],
    };
  },

  async automatic_function() {
    const called = [];
    const weather = {
      tool: async () => ({
        functionDeclarations: [
          {
            name: "get_weather",
            description: "Get the weather in a city",
            parameters: { type: "OBJECT", properties: { city: { type: "STRING" } }, required: ["city"] },
          },
        ],
      }),
      callTool: async (calls) =>
        calls.map(({ id, name, args }) => {
          called.push(args.city);
          return { functionResponse: { id, name, response: { sky: "clear" } } };
        }),
    };
    const chat = client.chats.create({
      model: MODEL,
      config: { tools: [weather], temperature: 0, maxOutputTokens: 60 },
    });
    const answer = await chat.sendMessage({ message: "What is the weather in Paris?" });
    return { called, text: answer.text, finish: finish(answer) };
  },

  async thoughts() {
    const answer = await ask("Hello", {
      maxOutputTokens: 60,
      temperature: 0,
      thinkingConfig: { includeThoughts: true, thinkingBudget: 16 },
    });
    const { parts } = answer.candidates[0].content;
    const joined = (some) => some.map((part) => part.text ?? "").join("");
    return {
      thoughts: joined(parts.filter((part) => part.thought)),
      text: joined(parts.filter((part) => !part.thought)),
      thought_tokens: answer.usageMetadata.thoughtsTokenCount,
      ...usage(answer),
    };
  },

  async logprobs() {
    const answer = await ask("Hello", { temperature: 0, maxOutputTokens: 8, responseLogprobs: true, logprobs: 3 });
    const { chosenCandidates, topCandidates } = answer.candidates[0].logprobsResult;
    return {
      text: answer.text,
      tokens: chosenCandidates.map((one) => one.token),
      logprobs: chosenCandidates.map((one) => one.logProbability),
      alternatives: topCandidates.map((one) => one.candidates.length),
    };
  },

  async embed() {
    const config = { outputDimensionality: 64, taskType: "RETRIEVAL_DOCUMENT" };
    const vectors = async (contents) => {
      const answer = await client.models.embedContent({ model: EMBEDDING_MODEL, contents, config });
      return answer.embeddings.map((one) => one.values);
    };
    return {
      one: await vectors("A red apple"),
      many: await vectors(["A red apple", "Three green pears", "A stone"]),
    };
  },

  async files() {
    const text = "The sky is green today.";
    const made = await client.files.upload({
      file: new Blob([text], { type: "text/plain" }),
      config: { mimeType: "text/plain", displayName: "sky" },
    });
    const fromPath = await client.files.upload({ file: join(folder, "report.pdf") });
    const got = await client.files.get({ name: made.name });
    const parts = [
      { fileData: { fileUri: made.uri, mimeType: made.mimeType } },
      { inlineData: { data: Buffer.from(text).toString("base64"), mimeType: "text/plain" } },
    ];
    const [byFile, inlined] = [
      await ask([parts[0], "Sum."], { maxOutputTokens: 8 }),
      await ask([parts[1], "Sum."], { maxOutputTokens: 8 }),
    ];
    const listed = await all(await client.files.list({ config: { pageSize: 1 } }));
    const seen = {
      name: made.name,
      same: [got.name === made.name, got.uri === made.uri, got.sha256Hash === made.sha256Hash],
      mime: [got.mimeType, fromPath.mimeType],
      size: [Number(got.sizeBytes), Number(fromPath.sizeBytes)],
      sha256: Buffer.from(got.sha256Hash, "base64").toString(),
      display_name: got.displayName,
      state: got.state,
      hours: (new Date(got.expirationTime) - new Date(got.createTime)) / 3_600_000,
      listed: listed.some((file) => file.name === made.name),
      by_file: { text: byFile.text, ...usage(byFile) },
      inline: { text: inlined.text, ...usage(inlined) },
    };
    await client.files.delete({ name: made.name });
    await client.files.delete({ name: fromPath.name });
    return { ...seen, gone: await refusal(() => client.files.get({ name: made.name })) };
  },

  async cache() {
    const history = [
      { role: "user", parts: [{ text: "My name is Ada. Say hello." }] },
      { role: "model", parts: [{ text: "Hello Ada!" }] },
    ];
    const question = { role: "user", parts: [{ text: "Hello again." }] };
    const systemInstruction = "Be brief.";
    const made = await client.caches.create({
      model: MODEL,
      config: { contents: history, systemInstruction, ttl: "600s", displayName: "mine" },
    });
    const got = await client.caches.get({ name: made.name });
    const changed = await client.caches.update({ name: made.name, config: { ttl: "7200s" } });
    const config = { temperature: 0, maxOutputTokens: 12 };
    const cached = await ask([question], { cachedContent: made.name, ...config });
    const plain = await ask([...history, question], { systemInstruction, ...config });
    const listed = await all(await client.caches.list({ config: { pageSize: 1 } }));
    const seen = {
      name: made.name,
      same: got.name === made.name,
      model: got.model,
      display_name: got.displayName,
      tokens: got.usageMetadata.totalTokenCount,
      seconds: [
        (new Date(got.expireTime) - new Date(got.createTime)) / 1000,
        (new Date(changed.expireTime) - new Date(changed.updateTime)) / 1000,
      ],
      cached: { text: cached.text, ...usage(cached) },
      cached_tokens: cached.usageMetadata.cachedContentTokenCount,
      plain: { text: plain.text, ...usage(plain) },
      listed: listed.some((one) => one.name === made.name),
    };
    await client.caches.delete({ name: made.name });
    return { ...seen, gone: await refusal(() => client.caches.get({ name: made.name })) };
  },

  async batch() {
    const texts = ["Hi", "Who are you?"];
    const config = { temperature: 0, maxOutputTokens: 8 };
    const src = texts.map((text) => ({ contents: [{ role: "user", parts: [{ text }] }], config }));
    let job = await client.batches.create({ model: MODEL, src, config: { displayName: "two" } });
    const { name, state: first } = job;
    while (!ENDED.includes(job.state)) {
      await pause(POLL_MILLISECONDS);
      job = await client.batches.get({ name });
    }
    const alone = [];
    for (const text of texts) alone.push((await ask(text, config)).text);
    const listed = await all(await client.batches.list({ config: { pageSize: 1 } }));
    const seen = {
      name,
      states: [first, job.state],
      model: job.model,
      display_name: job.displayName,
      texts: job.dest.inlinedResponses.map((one) => one.response.candidates[0].content.parts[0].text),
      alone,
      listed: listed.some((one) => one.name === name),
    };
    await client.batches.delete({ name });
    return { ...seen, gone: await refusal(() => client.batches.get({ name })) };
  },

  async models() {
    const listed = await all(await client.models.list({ config: { pageSize: 2 } }));
    const got = await client.models.get({ model: MODEL });
    return {
      names: listed.map((one) => one.name),
      name: got.name,
      input_limit: got.inputTokenLimit,
      actions: got.supportedActions,
    };
  },

  error_400: async () => ({ refused: await refusal(() => ask("Hi", { temperature: 3 })) }),
  error_400_stream: async () => ({ refused: await refusal(() => pieces("Hi", { temperature: 3 })) }),
  error_404: async () => ({
    refused: await refusal(() => client.models.generateContent({ model: "google/x", contents: "Hi" })),
  }),
  error_media: async () => {
    const data = Buffer.from("RIFF\x24\x00\x00\x00WAVEfmt ").toString("base64");
    return { refused: await refusal(() => ask([{ inlineData: { data, mimeType: "audio/wav" } }, "What is it?"])) };
  },
};

async function fault() {
  const words = { type: "ARRAY", items: { type: "STRING", enum: ["abcdefghijklmnop"] }, minItems: "2000" };
  const config = { maxOutputTokens: 8000, responseMimeType: "application/json", responseSchema: words };
  const received = [];
  const refused = await refusal(async () => {
    for await (const chunk of await client.models.generateContentStream({ model: MODEL, contents: "List.", config })) {
      if (!received.length) console.log(JSON.stringify({ case: "begun" }));
      received.push(finish(chunk));
    }
  });
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
