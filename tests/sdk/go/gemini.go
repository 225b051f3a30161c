package main

import (
	"context"
	"errors"
	"iter"
	"strings"

	"google.golang.org/genai"
)

const (
	geminiModel          = "gemini-2.5-flash"
	geminiEmbeddingModel = "gemini-embedding-001"
)

type (
	answer  = genai.GenerateContentResponse
	config  = genai.GenerateContentConfig
	content = genai.Content
	part    = genai.Part
	schema  = genai.Schema
)

var (
	zero     = genai.Ptr[float32](0)
	question = "What is the weather in Paris?"
	weather  = &genai.FunctionDeclaration{
		Name:        "get_weather",
		Description: "Get the weather in a city",
		Parameters: &schema{
			Type: genai.TypeObject,
			Properties: map[string]*schema{
				"city": {Type: genai.TypeString, MaxLength: genai.Ptr[int64](40)},
				"days": {Type: genai.TypeInteger, Maximum: genai.Ptr(9.0)},
			},
			Required: []string{"city", "days"},
		},
	}
	tools = []*genai.Tool{{FunctionDeclarations: []*genai.FunctionDeclaration{weather}}}
)

func calling(mode genai.FunctionCallingConfigMode) *genai.ToolConfig {
	return &genai.ToolConfig{FunctionCallingConfig: &genai.FunctionCallingConfig{Mode: mode}}
}

func collect[T any](all iter.Seq2[T, error]) ([]T, error) {
	var found []T
	for one, err := range all {
		if err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, nil
}

func textOf(some *answer) string {
	var text strings.Builder
	if len(some.Candidates) > 0 && some.Candidates[0].Content != nil {
		for _, one := range some.Candidates[0].Content.Parts {
			if !one.Thought {
				text.WriteString(one.Text)
			}
		}
	}
	return text.String()
}

func finish(some *answer) any {
	if reason := some.Candidates[0].FinishReason; reason != "" {
		return reason
	}
	return nil
}

func usage(some *answer) seen {
	counts := some.UsageMetadata
	details := map[genai.MediaModality]int32{}
	for _, one := range counts.PromptTokensDetails {
		details[one.Modality] = one.TokenCount
	}
	return seen{
		"prompt_tokens":  counts.PromptTokenCount,
		"output_tokens":  counts.CandidatesTokenCount,
		"total_tokens":   counts.TotalTokenCount,
		"prompt_details": details,
	}
}

func with(fields seen, more seen) seen {
	for name, value := range more {
		fields[name] = value
	}
	return fields
}

func refusal(err error) (seen, error) {
	var refused genai.APIError
	if err == nil {
		return seen{}, nil
	}
	if !errors.As(err, &refused) {
		return nil, err
	}
	return seen{"type": "APIError", "code": refused.Code, "status": refused.Status, "message": refused.Message}, nil
}

type geminiSDK struct{ *genai.Client }

func (sdk geminiSDK) ask(ctx context.Context, contents []*content, wanted *config) (*answer, error) {
	return sdk.Models.GenerateContent(ctx, geminiModel, contents, wanted)
}

func (sdk geminiSDK) pieces(ctx context.Context, contents []*content, wanted *config) ([]*answer, error) {
	return collect(sdk.Models.GenerateContentStream(ctx, geminiModel, contents, wanted))
}

func geminiCases(ctx context.Context, baseURL string) (cases, faults []testCase) {
	client, err := genai.NewClient(ctx, &genai.ClientConfig{
		APIKey:      "test-key",
		Backend:     genai.BackendGeminiAPI,
		HTTPOptions: genai.HTTPOptions{BaseURL: baseURL},
	})
	if err != nil {
		panic(err)
	}
	sdk := geminiSDK{client}
	return []testCase{
		{"text", sdk.text},
		{"stream", sdk.stream},
		{"chat", func(ctx context.Context) (seen, error) { return sdk.chat(ctx, false) }},
		{"chat_stream", func(ctx context.Context) (seen, error) { return sdk.chat(ctx, true) }},
		{"system", sdk.system},
		{"candidates", sdk.candidates},
		{"image_png", func(ctx context.Context) (seen, error) { return sdk.media(ctx, "photo.png", "image/png") }},
		{"image_jpeg", func(ctx context.Context) (seen, error) { return sdk.media(ctx, "photo.jpg", "image/jpeg") }},
		{"pdf", func(ctx context.Context) (seen, error) { return sdk.media(ctx, "report.pdf", "application/pdf") }},
		{"count", sdk.count},
		{"schema", sdk.schema},
		{"json_schema", sdk.jsonSchema},
		{"enumeration", sdk.enumeration},
		{"function_call", sdk.functionCall},
		{"function_stream", sdk.functionStream},
		{"function_result", sdk.functionResult},
		{"thoughts", sdk.thoughts},
		{"logprobs", sdk.logprobs},
		{"embed", sdk.embed},
		{"files", sdk.files},
		{"cache", sdk.cache},
		{"batch", sdk.batch},
		{"models", sdk.models},
		{"error_400", sdk.error400},
		{"error_400_stream", sdk.error400Stream},
		{"error_404", sdk.error404},
		{"error_media", sdk.errorMedia},
	}, []testCase{{"fault", sdk.fault}}
}

func (sdk geminiSDK) text(ctx context.Context) (seen, error) {
	said, err := sdk.ask(ctx, genai.Text("Hello"), &config{Temperature: zero, MaxOutputTokens: 60})
	if err != nil {
		return nil, err
	}
	return with(usage(said), seen{
		"text":   said.Text(),
		"role":   said.Candidates[0].Content.Role,
		"finish": finish(said),
		"model":  said.ModelVersion,
		"id":     said.ResponseID,
	}), nil
}

func (sdk geminiSDK) stream(ctx context.Context) (seen, error) {
	long := &config{
		MaxOutputTokens:  40,
		ResponseMIMEType: "application/json",
		ResponseSchema: &schema{
			Type:     genai.TypeArray,
			Items:    &schema{Type: genai.TypeString},
			MinItems: genai.Ptr[int64](30),
		},
	}
	chunks, err := sdk.pieces(ctx, genai.Text("List."), long)
	if err != nil {
		return nil, err
	}
	plain, err := sdk.ask(ctx, genai.Text("List."), long)
	if err != nil {
		return nil, err
	}
	var texts, ids []string
	var reasons []any
	var tokens []int32
	for _, chunk := range chunks {
		texts = append(texts, textOf(chunk))
		ids = append(ids, chunk.ResponseID)
		reasons = append(reasons, finish(chunk))
		tokens = append(tokens, chunk.UsageMetadata.CandidatesTokenCount)
	}
	return seen{"plain": plain.Text(), "chunks": texts, "ids": ids, "finish": reasons, "output_tokens": tokens}, nil
}

func (sdk geminiSDK) chat(ctx context.Context, streamed bool) (seen, error) {
	chat, err := sdk.Chats.Create(ctx, geminiModel, &config{MaxOutputTokens: 16, Temperature: zero}, nil)
	if err != nil {
		return nil, err
	}
	var texts []string
	var prompts []int32
	for _, message := range []string{"Hello", "Who are you?", "Bye"} {
		var answers []*answer
		if streamed {
			answers, err = collect(chat.SendStream(ctx, genai.NewPartFromText(message)))
		} else {
			var said *answer
			said, err = chat.Send(ctx, genai.NewPartFromText(message))
			answers = []*answer{said}
		}
		if err != nil {
			return nil, err
		}
		var text strings.Builder
		for _, one := range answers {
			text.WriteString(textOf(one))
		}
		texts = append(texts, text.String())
		prompts = append(prompts, answers[len(answers)-1].UsageMetadata.PromptTokenCount)
	}
	users := 0
	for _, one := range chat.History(true) {
		if one.Role == genai.RoleUser {
			users++
		}
	}
	return seen{"texts": texts, "prompt_tokens": prompts, "users": users}, nil
}

func (sdk geminiSDK) system(ctx context.Context) (seen, error) {
	brief := genai.NewContentFromText("Answer in one short sentence.", genai.RoleUser)
	said, err := sdk.ask(ctx, genai.Text("Hello"), &config{
		SystemInstruction: brief, Temperature: zero, MaxOutputTokens: 16,
	})
	if err != nil {
		return nil, err
	}
	plain, err := sdk.ask(ctx, genai.Text("Hello"), &config{Temperature: zero, MaxOutputTokens: 16})
	if err != nil {
		return nil, err
	}
	return seen{"text": said.Text(), "with": usage(said), "without": usage(plain)}, nil
}

func (sdk geminiSDK) candidates(ctx context.Context) (seen, error) {
	wanted := &config{CandidateCount: 5, MaxOutputTokens: 8, Temperature: genai.Ptr[float32](2)}
	request := genai.Text("Reverse the words: potato engine silver moon river table candle")
	texts := func(answers ...*answer) []string {
		found := []string{}
		for _, one := range answers {
			for _, candidate := range one.Candidates {
				for len(found) <= int(candidate.Index) {
					found = append(found, "")
				}
				found[candidate.Index] += textOf(&answer{Candidates: []*genai.Candidate{candidate}})
			}
		}
		return found
	}
	first, err := sdk.ask(ctx, request, wanted)
	if err != nil {
		return nil, err
	}
	second, err := sdk.ask(ctx, request, wanted)
	if err != nil {
		return nil, err
	}
	chunks, err := sdk.pieces(ctx, request, wanted)
	if err != nil {
		return nil, err
	}
	return seen{"first": texts(first), "second": texts(second), "streamed": texts(chunks...)}, nil
}

func (sdk geminiSDK) media(ctx context.Context, name, mime string) (seen, error) {
	contents := []*content{genai.NewContentFromParts([]*part{
		genai.NewPartFromBytes(read(name), mime), genai.NewPartFromText("What is it?"),
	}, genai.RoleUser)}
	said, err := sdk.ask(ctx, contents, &config{MaxOutputTokens: 4})
	if err != nil {
		return nil, err
	}
	counted, err := sdk.Models.CountTokens(ctx, geminiModel, contents, nil)
	if err != nil {
		return nil, err
	}
	return with(usage(said), seen{"text": said.Text(), "counted": counted.TotalTokens}), nil
}

func (sdk geminiSDK) count(ctx context.Context) (seen, error) {
	counted, err := sdk.Models.CountTokens(ctx, geminiModel, genai.Text("Hello"), nil)
	if err != nil {
		return nil, err
	}
	said, err := sdk.ask(ctx, genai.Text("Hello"), nil)
	if err != nil {
		return nil, err
	}
	return with(usage(said), seen{"counted": counted.TotalTokens}), nil
}

func (sdk geminiSDK) written(ctx context.Context, prompt string, wanted *config) (seen, error) {
	wanted.ResponseMIMEType = "application/json"
	said, err := sdk.ask(ctx, genai.Text(prompt), wanted)
	if err != nil {
		return nil, err
	}
	return seen{"text": said.Text(), "finish": finish(said)}, nil
}

func (sdk geminiSDK) schema(ctx context.Context) (seen, error) {
	names := []string{"title", "taste", "grams", "note"}
	return sdk.written(ctx, "A recipe.", &config{MaxOutputTokens: 400, ResponseSchema: &schema{
		Type: genai.TypeObject,
		Properties: map[string]*schema{
			"title": {Type: genai.TypeString, MaxLength: genai.Ptr[int64](20)},
			"taste": {Type: genai.TypeString, Enum: []string{"sweet", "sour"}, Format: "enum"},
			"grams": {
				Type:     genai.TypeArray,
				Items:    &schema{Type: genai.TypeInteger, Maximum: genai.Ptr(99.0)},
				MaxItems: genai.Ptr[int64](2),
			},
			"note": {Nullable: genai.Ptr(true), AnyOf: []*schema{
				{Type: genai.TypeString, MaxLength: genai.Ptr[int64](5)},
				{Type: genai.TypeInteger, Maximum: genai.Ptr(9.0)},
			}},
		},
		Required:         names,
		PropertyOrdering: names,
	}})
}

func (sdk geminiSDK) jsonSchema(ctx context.Context) (seen, error) {
	leaf := seen{
		"type": "object", "properties": seen{"n": seen{"type": "integer"}}, "required": []string{"n"},
	}
	maybe := seen{"anyOf": []seen{{"type": "boolean"}, {"type": "null"}}}
	return sdk.written(ctx, "Go.", &config{MaxOutputTokens: 200, ResponseJsonSchema: seen{
		"$defs":                seen{"Leaf": leaf},
		"type":                 "object",
		"properties":           seen{"leaf": seen{"$ref": "#/$defs/Leaf"}, "maybe": maybe},
		"required":             []string{"leaf", "maybe"},
		"additionalProperties": false,
	}})
}

func (sdk geminiSDK) enumeration(ctx context.Context) (seen, error) {
	wanted := &schema{Type: genai.TypeString, Enum: []string{"sweet", "sour"}}
	bare, err := sdk.ask(ctx, genai.Text("Lemon?"), &config{ResponseMIMEType: "text/x.enum", ResponseSchema: wanted})
	if err != nil {
		return nil, err
	}
	quoted, err := sdk.written(ctx, "Lemon?", &config{ResponseSchema: wanted})
	if err != nil {
		return nil, err
	}
	return seen{"bare": bare.Text(), "quoted": quoted["text"]}, nil
}

func (sdk geminiSDK) thoughts(ctx context.Context) (seen, error) {
	said, err := sdk.ask(ctx, genai.Text("Hello"), &config{
		MaxOutputTokens: 60,
		Temperature:     zero,
		ThinkingConfig:  &genai.ThinkingConfig{IncludeThoughts: true, ThinkingBudget: genai.Ptr[int32](16)},
	})
	if err != nil {
		return nil, err
	}
	var thoughts strings.Builder
	for _, one := range said.Candidates[0].Content.Parts {
		if one.Thought {
			thoughts.WriteString(one.Text)
		}
	}
	return with(usage(said), seen{
		"thoughts":       thoughts.String(),
		"text":           textOf(said),
		"thought_tokens": said.UsageMetadata.ThoughtsTokenCount,
	}), nil
}

func (sdk geminiSDK) logprobs(ctx context.Context) (seen, error) {
	said, err := sdk.ask(ctx, genai.Text("Hello"), &config{
		Temperature: zero, MaxOutputTokens: 8, ResponseLogprobs: true, Logprobs: genai.Ptr[int32](3),
	})
	if err != nil {
		return nil, err
	}
	result := said.Candidates[0].LogprobsResult
	var tokens []string
	var chosen []float32
	var alternatives []int
	for place, one := range result.ChosenCandidates {
		tokens = append(tokens, one.Token)
		chosen = append(chosen, one.LogProbability)
		alternatives = append(alternatives, len(result.TopCandidates[place].Candidates))
	}
	return seen{"text": said.Text(), "tokens": tokens, "logprobs": chosen, "alternatives": alternatives}, nil
}

func (sdk geminiSDK) embed(ctx context.Context) (seen, error) {
	wanted := &genai.EmbedContentConfig{OutputDimensionality: genai.Ptr[int32](64), TaskType: "RETRIEVAL_DOCUMENT"}
	vectors := func(texts ...string) ([][]float32, error) {
		var contents []*content
		for _, text := range texts {
			contents = append(contents, genai.NewContentFromText(text, genai.RoleUser))
		}
		said, err := sdk.Models.EmbedContent(ctx, geminiEmbeddingModel, contents, wanted)
		if err != nil {
			return nil, err
		}
		var found [][]float32
		for _, one := range said.Embeddings {
			found = append(found, one.Values)
		}
		return found, nil
	}
	one, err := vectors("A red apple")
	if err != nil {
		return nil, err
	}
	many, err := vectors("A red apple", "Three green pears", "A stone")
	if err != nil {
		return nil, err
	}
	return seen{"one": one, "many": many}, nil
}

func (sdk geminiSDK) models(ctx context.Context) (seen, error) {
	listed, err := collect(sdk.Models.All(ctx))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, one := range listed {
		names = append(names, one.Name)
	}
	got, err := sdk.Models.Get(ctx, geminiModel, nil)
	if err != nil {
		return nil, err
	}
	return seen{
		"names": names, "name": got.Name, "input_limit": got.InputTokenLimit, "actions": got.SupportedActions,
	}, nil
}

func refused(err error) (seen, error) {
	told, err := refusal(err)
	return seen{"refused": told}, err
}

func (sdk geminiSDK) error400(ctx context.Context) (seen, error) {
	_, err := sdk.ask(ctx, genai.Text("Hi"), &config{Temperature: genai.Ptr[float32](3)})
	return refused(err)
}

func (sdk geminiSDK) error400Stream(ctx context.Context) (seen, error) {
	_, err := sdk.pieces(ctx, genai.Text("Hi"), &config{Temperature: genai.Ptr[float32](3)})
	return refused(err)
}

func (sdk geminiSDK) error404(ctx context.Context) (seen, error) {
	_, err := sdk.Models.GenerateContent(ctx, "google/x", genai.Text("Hi"), nil)
	return refused(err)
}

func (sdk geminiSDK) errorMedia(ctx context.Context) (seen, error) {
	wave := genai.NewPartFromBytes([]byte("RIFF\x24\x00\x00\x00WAVEfmt "), "audio/wav")
	parts := []*part{wave, genai.NewPartFromText("What is it?")}
	_, err := sdk.ask(ctx, []*content{genai.NewContentFromParts(parts, genai.RoleUser)}, nil)
	return refused(err)
}
