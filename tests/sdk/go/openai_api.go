package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/shared"
)

const (
	openaiModel          = "gpt-4o-mini"
	openaiEmbeddingModel = "text-embedding-3-small"
)

type (
	completion = openai.ChatCompletion
	completing = openai.ChatCompletionNewParams
	message    = openai.ChatCompletionMessageParamUnion
	object     = map[string]any
)

var (
	hello           = []message{openai.UserMessage("Hello")}
	weatherQuestion = []message{openai.UserMessage(question)}
	weatherSchema   = object{
		"type": "object",
		"properties": object{
			"city": object{"type": "string", "maxLength": 40}, "days": object{"type": "integer", "maximum": 9},
		},
		"required":             []string{"city", "days"},
		"additionalProperties": false,
	}
	chatTools = []openai.ChatCompletionToolUnionParam{
		openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
			Name:        "get_weather",
			Description: openai.String("Get the weather in a city"),
			Parameters:  weatherSchema,
		}),
	}
	recipe = object{
		"type": "object",
		"properties": object{
			"title": object{"type": "string", "maxLength": 20},
			"taste": object{"type": "string", "enum": []string{"sweet", "sour"}},
			"grams": object{
				"type": "array", "items": object{"type": "integer", "minimum": 0, "maximum": 99}, "maxItems": 2,
			},
			"note": object{"anyOf": []object{{"type": "string", "maxLength": 5}, {"type": "null"}}},
		},
		"required":             []string{"title", "taste", "grams", "note"},
		"additionalProperties": false,
	}
)

type openaiSDK struct{ openai.Client }

func openaiCases(baseURL string) (cases, faults []testCase) {
	sdk := openaiSDK{openai.NewClient(
		option.WithBaseURL(baseURL+"/v1"), option.WithAPIKey("any"), option.WithMaxRetries(0),
	)}
	return append([]testCase{
		{"text", sdk.text},
		{"stream", sdk.stream},
		{"chat", sdk.chat},
		{"system", sdk.system},
		{"choices", sdk.choices},
		{"image", sdk.image},
		{"pdf", sdk.pdf},
		{"schema", sdk.schema},
		{"parsed", sdk.parsed},
		{"tools", sdk.tools},
		{"tools_stream", sdk.toolsStream},
		{"tool_result", sdk.toolResult},
		{"logprobs", sdk.logprobs},
		{"embed", sdk.embed},
		{"models", sdk.models},
		{"error_400", sdk.error400},
		{"error_400_stream", sdk.error400Stream},
		{"error_404", sdk.error404},
	}, sdk.stateCases()...), []testCase{{"fault", sdk.fault}}
}

func (sdk openaiSDK) ask(ctx context.Context, messages []message, body completing) (*completion, error) {
	body.Model, body.Messages = openaiModel, messages
	return sdk.Chat.Completions.New(ctx, body)
}

func (sdk openaiSDK) pieces(
	ctx context.Context, messages []message, body completing,
) ([]openai.ChatCompletionChunk, error) {
	body.Model, body.Messages = openaiModel, messages
	stream := sdk.Chat.Completions.NewStreaming(ctx, body)
	var chunks []openai.ChatCompletionChunk
	for stream.Next() {
		chunks = append(chunks, stream.Current())
	}
	return chunks, stream.Err()
}

func counts(usage openai.CompletionUsage) seen {
	return seen{
		"prompt_tokens": usage.PromptTokens,
		"output_tokens": usage.CompletionTokens,
		"total_tokens":  usage.TotalTokens,
	}
}

// orNil is what the service said: this SDK gives an empty text for null.
func orNil(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func toolCallsOf(said openai.ChatCompletionMessage) ([]seen, error) {
	calls := []seen{}
	for _, one := range said.ToolCalls {
		var args map[string]any
		if err := json.Unmarshal([]byte(one.Function.Arguments), &args); err != nil {
			return nil, err
		}
		calls = append(calls, seen{"id": one.ID, "name": one.Function.Name, "args": args})
	}
	return calls, nil
}

func openaiRefusal(err error) (seen, error) {
	var refused *openai.Error
	if err == nil {
		return seen{}, nil
	}
	if !errors.As(err, &refused) {
		return nil, err
	}
	return seen{
		"type":       "Error",
		"code":       refused.StatusCode,
		"reason":     orNil(refused.Code),
		"param":      orNil(refused.Param),
		"message":    refused.Message,
		"request_id": refused.Response.Header.Get("x-request-id"),
	}, nil
}

func openaiRefused(err error) (seen, error) {
	told, err := openaiRefusal(err)
	return seen{"refused": told}, err
}

func jsonFormat(name string, schema any) openai.ChatCompletionNewParamsResponseFormatUnion {
	wanted := shared.ResponseFormatJSONSchemaJSONSchemaParam{Name: name, Schema: schema, Strict: openai.Bool(true)}
	return openai.ChatCompletionNewParamsResponseFormatUnion{
		OfJSONSchema: &shared.ResponseFormatJSONSchemaParam{JSONSchema: wanted},
	}
}

func (sdk openaiSDK) text(ctx context.Context) (seen, error) {
	said, err := sdk.ask(ctx, hello, completing{Temperature: openai.Float(0), MaxTokens: openai.Int(60)})
	if err != nil {
		return nil, err
	}
	return with(counts(said.Usage), seen{
		"text":        said.Choices[0].Message.Content,
		"role":        said.Choices[0].Message.Role,
		"finish":      said.Choices[0].FinishReason,
		"model":       said.Model,
		"object":      said.Object,
		"id":          said.ID,
		"fingerprint": said.SystemFingerprint,
	}), nil
}

func (sdk openaiSDK) stream(ctx context.Context) (seen, error) {
	words := object{"type": "array", "items": object{"type": "string"}, "minItems": 30}
	wanted := completing{MaxTokens: openai.Int(40), ResponseFormat: jsonFormat("words", words)}
	whole, err := sdk.ask(ctx, hello, wanted)
	if err != nil {
		return nil, err
	}
	wanted.StreamOptions = openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)}
	chunks, err := sdk.pieces(ctx, hello, wanted)
	if err != nil {
		return nil, err
	}
	var texts, ids []string
	var reasons []any
	for _, chunk := range chunks {
		ids = append(ids, chunk.ID)
		for _, piece := range chunk.Choices {
			texts = append(texts, piece.Delta.Content)
			if piece.FinishReason == "" {
				reasons = append(reasons, nil)
			} else {
				reasons = append(reasons, piece.FinishReason)
			}
		}
	}
	return seen{
		"plain":       whole.Choices[0].Message.Content,
		"chunks":      texts,
		"finish":      reasons,
		"ids":         ids,
		"usage":       counts(chunks[len(chunks)-1].Usage),
		"plain_usage": counts(whole.Usage),
	}, nil
}

func (sdk openaiSDK) chat(ctx context.Context) (seen, error) {
	var history []message
	var texts []string
	var prompts []int64
	for _, text := range []string{"Hello", "Who are you?", "Bye"} {
		history = append(history, openai.UserMessage(text))
		said, err := sdk.ask(ctx, history, completing{Temperature: openai.Float(0), MaxTokens: openai.Int(16)})
		if err != nil {
			return nil, err
		}
		history = append(history, said.Choices[0].Message.ToParam())
		texts = append(texts, said.Choices[0].Message.Content)
		prompts = append(prompts, said.Usage.PromptTokens)
	}
	return seen{"texts": texts, "prompt_tokens": prompts}, nil
}

func (sdk openaiSDK) system(ctx context.Context) (seen, error) {
	wanted := completing{Temperature: openai.Float(0), MaxTokens: openai.Int(16)}
	brief := []message{openai.SystemMessage("Answer in one short sentence."), hello[0]}
	said, err := sdk.ask(ctx, brief, wanted)
	if err != nil {
		return nil, err
	}
	plain, err := sdk.ask(ctx, hello, wanted)
	if err != nil {
		return nil, err
	}
	return seen{
		"text": said.Choices[0].Message.Content, "with": counts(said.Usage), "without": counts(plain.Usage),
	}, nil
}

func (sdk openaiSDK) choices(ctx context.Context) (seen, error) {
	wanted := completing{N: openai.Int(5), MaxTokens: openai.Int(8), Temperature: openai.Float(2)}
	request := []message{openai.UserMessage("Reverse the words: potato engine silver moon river table candle")}
	chunks, err := sdk.pieces(ctx, request, wanted)
	if err != nil {
		return nil, err
	}
	streamed := make([]string, 5)
	for _, chunk := range chunks {
		for _, piece := range chunk.Choices {
			streamed[piece.Index] += piece.Delta.Content
		}
	}
	var rounds [2][]string
	for round := range rounds {
		said, err := sdk.ask(ctx, request, wanted)
		if err != nil {
			return nil, err
		}
		for _, one := range said.Choices {
			rounds[round] = append(rounds[round], one.Message.Content)
		}
	}
	return seen{"first": rounds[0], "second": rounds[1], "streamed": streamed}, nil
}

func (sdk openaiSDK) shown(ctx context.Context, part openai.ChatCompletionContentPartUnionParam) (seen, error) {
	wanted := completing{MaxTokens: openai.Int(4)}
	asked := []openai.ChatCompletionContentPartUnionParam{openai.TextContentPart("What is it?")}
	plain, err := sdk.ask(ctx, []message{openai.UserMessage(asked)}, wanted)
	if err != nil {
		return nil, err
	}
	said, err := sdk.ask(ctx, []message{openai.UserMessage(append(asked, part))}, wanted)
	if err != nil {
		return nil, err
	}
	return seen{
		"text": said.Choices[0].Message.Content, "with": counts(said.Usage), "without": counts(plain.Usage),
	}, nil
}

func dataURL(name, mime string) string {
	return "data:" + mime + ";base64," + base64.StdEncoding.EncodeToString(read(name))
}

func (sdk openaiSDK) image(ctx context.Context) (seen, error) {
	return sdk.shown(ctx, openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{
		URL: dataURL("photo.png", "image/png"),
	}))
}

func (sdk openaiSDK) pdf(ctx context.Context) (seen, error) {
	return sdk.shown(ctx, openai.FileContentPart(openai.ChatCompletionContentPartFileFileParam{
		Filename: openai.String("report.pdf"), FileData: openai.String(dataURL("report.pdf", "application/pdf")),
	}))
}

func (sdk openaiSDK) schema(ctx context.Context) (seen, error) {
	said, err := sdk.ask(ctx, hello, completing{
		MaxTokens: openai.Int(400), ResponseFormat: jsonFormat("recipe", recipe),
	})
	if err != nil {
		return nil, err
	}
	return seen{"text": said.Choices[0].Message.Content, "finish": said.Choices[0].FinishReason}, nil
}

func (sdk openaiSDK) parsed(ctx context.Context) (seen, error) {
	var value struct {
		Taste string `json:"taste"`
		Large bool   `json:"large"`
		Grams *int   `json:"grams"`
	}
	wanted := object{
		"type": "object",
		"properties": object{
			"taste": object{"type": "string", "enum": []string{"sweet", "sour"}},
			"large": object{"type": "boolean"},
			"grams": object{"type": []string{"integer", "null"}},
		},
		"required":             []string{"taste", "large", "grams"},
		"additionalProperties": false,
	}
	said, err := sdk.ask(ctx, hello, completing{
		MaxTokens: openai.Int(400), ResponseFormat: jsonFormat("answer", wanted),
	})
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(said.Choices[0].Message.Content), &value); err != nil {
		return nil, err
	}
	return seen{
		"parsed": seen{"taste": value.Taste, "large": value.Large, "grams": value.Grams},
		"finish": said.Choices[0].FinishReason,
	}, nil
}

func (sdk openaiSDK) logprobs(ctx context.Context) (seen, error) {
	said, err := sdk.ask(ctx, hello, completing{
		Temperature: openai.Float(0), MaxTokens: openai.Int(8), Logprobs: openai.Bool(true), TopLogprobs: openai.Int(3),
	})
	if err != nil {
		return nil, err
	}
	var tokens []string
	var chosen []float64
	var alternatives []int
	for _, one := range said.Choices[0].Logprobs.Content {
		tokens = append(tokens, one.Token)
		chosen = append(chosen, one.Logprob)
		alternatives = append(alternatives, len(one.TopLogprobs))
	}
	return seen{
		"text": said.Choices[0].Message.Content, "tokens": tokens, "logprobs": chosen, "alternatives": alternatives,
	}, nil
}

func (sdk openaiSDK) embed(ctx context.Context) (seen, error) {
	vectors := func(input openai.EmbeddingNewParamsInputUnion) ([][]float64, error) {
		said, err := sdk.Embeddings.New(ctx, openai.EmbeddingNewParams{
			Model: openaiEmbeddingModel, Input: input, Dimensions: openai.Int(64),
		})
		if err != nil {
			return nil, err
		}
		var found [][]float64
		for _, one := range said.Data {
			found = append(found, one.Embedding)
		}
		return found, nil
	}
	one, err := vectors(openai.EmbeddingNewParamsInputUnion{OfString: openai.String("A red apple")})
	if err != nil {
		return nil, err
	}
	texts := []string{"A red apple", "Three green pears", "A stone"}
	many, err := vectors(openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: texts})
	return seen{"one": one, "many": many}, err
}

func (sdk openaiSDK) models(ctx context.Context) (seen, error) {
	var names []string
	pages := sdk.Models.ListAutoPaging(ctx)
	for pages.Next() {
		names = append(names, pages.Current().ID)
	}
	if err := pages.Err(); err != nil {
		return nil, err
	}
	got, err := sdk.Models.Get(ctx, openaiModel)
	if err != nil {
		return nil, err
	}
	return seen{"names": names, "name": got.ID}, nil
}

func (sdk openaiSDK) error400(ctx context.Context) (seen, error) {
	_, err := sdk.ask(ctx, hello, completing{Temperature: openai.Float(3)})
	return openaiRefused(err)
}

func (sdk openaiSDK) error400Stream(ctx context.Context) (seen, error) {
	_, err := sdk.pieces(ctx, hello, completing{Temperature: openai.Float(3)})
	return openaiRefused(err)
}

func (sdk openaiSDK) error404(ctx context.Context) (seen, error) {
	_, err := sdk.Models.Delete(ctx, "another")
	return openaiRefused(err)
}

func (sdk openaiSDK) fault(ctx context.Context) (seen, error) {
	words := object{
		"type": "array", "items": object{"type": "string", "enum": []string{"abcdefghijklmnop"}}, "minItems": 2000,
	}
	stream := sdk.Chat.Completions.NewStreaming(ctx, completing{
		Model: openaiModel, Messages: hello, MaxTokens: openai.Int(8000), ResponseFormat: jsonFormat("words", words),
	})
	begun, ended := false, false
	for stream.Next() {
		if !begun {
			show(seen{"case": "begun"})
		}
		begun, ended = true, ended || stream.Current().Choices[0].FinishReason != ""
	}
	told := seen{}
	if err := stream.Err(); err != nil {
		told = seen{"type": fmt.Sprintf("%T", err), "message": err.Error()}
	}
	return seen{"refused": told, "ended": ended}, nil
}
