// The cases of the OpenAI table that leave something on the server: responses, conversations, files, batches.

import { createReadStream } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { toFile } from "openai";

const MODEL = "gpt-4o-mini";
const WEATHER = {
  type: "function",
  name: "get_weather",
  description: "Get the weather in a city",
  parameters: {
    type: "object",
    properties: { city: { type: "string", maxLength: 40 }, days: { type: "integer", maximum: 9 } },
    required: ["city", "days"],
    additionalProperties: false,
  },
  strict: true,
};
const MUST_CALL = { tools: [WEATHER], tool_choice: "required", parallel_tool_calls: false, max_output_tokens: 200 };
const ENDED = ["completed", "failed", "expired", "cancelled"];
const POLL_MILLISECONDS = 50;

export function stateCases({ client, folder, all, refusal }) {
  const ask = (input, body) => client.responses.create({ model: MODEL, input, temperature: 0, ...body });
  const messages = (items) => items.map((one) => [one.type, one.role, one.content[0].text]);

  return {
    async response() {
      const answer = await ask("Hello", { max_output_tokens: 60 });
      return {
        text: answer.output_text,
        id: answer.id,
        model: answer.model,
        object: answer.object,
        status: answer.status,
        output: answer.output.map((one) => one.type),
        tokens: [answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.total_tokens],
      };
    },

    async response_stream() {
      const events = await all(await ask("Hello", { max_output_tokens: 60, stream: true }));
      const kinds = events.map((event) => event.type);
      const deltas = events.filter((event) => event.type === "response.output_text.delta");
      const last = events.at(-1).response;
      return {
        plain: (await ask("Hello", { max_output_tokens: 60 })).output_text,
        kinds: kinds.filter((kind, place) => kind !== kinds[place - 1]),
        numbers: events.map((event) => event.sequence_number),
        deltas: deltas.map((event) => event.delta).join(""),
        last: last.output.flatMap((one) => one.content.map((part) => part.text)).join(""),
        status: last.status,
      };
    },

    async response_helper() {
      const stream = client.responses.stream({
        model: MODEL,
        input: "Hello",
        temperature: 0,
        max_output_tokens: 60,
      });
      let deltas = "";
      stream.on("response.output_text.delta", ({ delta }) => (deltas += delta));
      const answer = await stream.finalResponse();
      return { deltas, text: answer.output_text, status: answer.status };
    },

    async response_incomplete() {
      const schema = { type: "array", items: { type: "string" }, minItems: 30 };
      const text = { format: { type: "json_schema", name: "words", schema } };
      const answer = await ask("Hello", { max_output_tokens: 16, text });
      return { status: answer.status, reason: answer.incomplete_details.reason, text: answer.output_text };
    },

    async response_image() {
      const photo = await client.files.create({
        file: createReadStream(join(folder, "photo.png")),
        purpose: "vision",
      });
      const question = { type: "input_text", text: "What is it?" };
      const shown = { type: "input_image", file_id: photo.id, detail: "auto" };
      const answers = [];
      for (const content of [[question, shown], [question]]) {
        answers.push(await ask([{ role: "user", content }], { max_output_tokens: 16 }));
      }
      await client.files.delete(photo.id);
      return { text: answers[0].output_text, tokens: answers.map((answer) => answer.usage.input_tokens) };
    },

    async response_function() {
      const asked = await ask("What is the weather in Paris?", MUST_CALL);
      const call = asked.output.find((one) => one.type === "function_call");
      const told = await ask([{ type: "function_call_output", call_id: call.call_id, output: '{"sky": "clear"}' }], {
        previous_response_id: asked.id,
        tools: [WEATHER],
        tool_choice: "none",
        max_output_tokens: 30,
      });
      return {
        id: call.id,
        call_id: call.call_id,
        name: call.name,
        args: JSON.parse(call.arguments),
        output: asked.output.map((one) => one.type),
        text: told.output_text,
        chained: told.previous_response_id === asked.id,
        tokens: [asked.usage.input_tokens, told.usage.input_tokens],
      };
    },

    async response_stored() {
      const made = await ask("Hello", { max_output_tokens: 16, metadata: { mine: "yes" } });
      const got = await client.responses.retrieve(made.id);
      const items = await all(await client.responses.inputItems.list(made.id, { limit: 1 }));
      await client.responses.delete(made.id);
      return {
        same: [got.id === made.id, got.output_text === made.output_text, got.created_at === made.created_at],
        metadata: got.metadata,
        input: messages(items),
        gone: await refusal(() => client.responses.retrieve(made.id)),
      };
    },

    response_refused: async () => ({ refused: await refusal(() => ask("Hello", { temperature: 3 })) }),

    async conversation() {
      const { conversations } = client;
      const first = { type: "message", role: "user", content: "My name is Ada." };
      const made = await conversations.create({ items: [first], metadata: { mine: "yes" } });
      const answer = await ask("Hello", { conversation: made.id, max_output_tokens: 16 });
      const second = { type: "message", role: "user", content: "Who are you?" };
      const added = await conversations.items.create(made.id, { items: [second] });
      const items = await all(await conversations.items.list(made.id, { order: "asc", limit: 2 }));
      await conversations.items.delete(items[0].id, { conversation_id: made.id });
      const left = await all(await conversations.items.list(made.id, { order: "asc" }));
      const changed = await conversations.update(made.id, { metadata: { mine: "no" } });
      const got = await conversations.retrieve(made.id);
      await conversations.delete(made.id);
      const ids = (some) => some.map((one) => one.id).join();
      return {
        id: made.id,
        metadata: [made.metadata, changed.metadata, got.metadata],
        of_answer: answer.conversation.id === made.id,
        added: ids(added.data) === items.at(-1).id,
        items: messages(items),
        left: ids(left) === ids(items.slice(1)),
        gone: await refusal(() => conversations.retrieve(made.id)),
      };
    },

    async files() {
      const { files } = client;
      const made = await files.create({
        file: await toFile(Buffer.from("The sky is green today."), "sky.txt"),
        purpose: "user_data",
      });
      const got = await files.retrieve(made.id);
      const content = await (await files.content(made.id)).text();
      const listed = (await all(await files.list({ limit: 1 }))).some((one) => one.id === made.id);
      const { deleted } = await files.delete(made.id);
      return {
        id: made.id,
        same: JSON.stringify(got) === JSON.stringify(made),
        bytes: got.bytes,
        filename: got.filename,
        purpose: got.purpose,
        object: got.object,
        content,
        listed,
        deleted,
        gone: await refusal(() => files.retrieve(made.id)),
      };
    },

    async batch() {
      const bodies = ["Hi", "Who are you?"].map((content) => ({
        model: MODEL,
        messages: [{ role: "user", content }],
        temperature: 0,
        max_tokens: 8,
      }));
      const lines = bodies.map((body, place) =>
        JSON.stringify({ custom_id: `line-${place}`, method: "POST", url: "/v1/chat/completions", body }),
      );
      const file = await client.files.create({
        file: await toFile(Buffer.from(lines.join("\n")), "lines.jsonl"),
        purpose: "batch",
      });
      let job = await client.batches.create({
        input_file_id: file.id,
        endpoint: "/v1/chat/completions",
        completion_window: "24h",
      });
      while (!ENDED.includes(job.status)) {
        await pause(POLL_MILLISECONDS);
        job = await client.batches.retrieve(job.id);
      }
      const output = await (await client.files.content(job.output_file_id)).text();
      const results = output
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
      const alone = [];
      for (const body of bodies) alone.push(await client.chat.completions.create(body));
      const listed = await all(await client.batches.list({ limit: 1 }));
      return {
        id: job.id,
        status: job.status,
        object: job.object,
        counts: [job.request_counts.total, job.request_counts.completed, job.request_counts.failed],
        lines: results.map((one) => [one.custom_id, one.response.status_code, one.error]),
        texts: results.map((one) => one.response.body.choices[0].message.content),
        alone: alone.map((one) => one.choices[0].message.content),
        listed: listed.some((one) => one.id === job.id),
      };
    },

    async moderation() {
      const answer = await client.moderations.create({ input: "Hello" });
      return { flagged: answer.results.map((one) => one.flagged) };
    },
  };
}
