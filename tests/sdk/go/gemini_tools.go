package main

import (
	"context"

	"google.golang.org/genai"
)

func mustCall() *config {
	return &config{MaxOutputTokens: 200, Tools: tools, ToolConfig: calling(genai.FunctionCallingConfigModeAny)}
}

func callsOf(answers ...*answer) []seen {
	calls := []seen{}
	for _, one := range answers {
		for _, call := range one.FunctionCalls() {
			calls = append(calls, seen{"name": call.Name, "args": call.Args})
		}
	}
	return calls
}

func (sdk geminiSDK) functionCall(ctx context.Context) (seen, error) {
	said, err := sdk.ask(ctx, genai.Text(question), mustCall())
	if err != nil {
		return nil, err
	}
	return seen{"calls": callsOf(said), "finish": finish(said)}, nil
}

func (sdk geminiSDK) functionStream(ctx context.Context) (seen, error) {
	chunks, err := sdk.pieces(ctx, genai.Text(question), mustCall())
	if err != nil {
		return nil, err
	}
	return seen{"calls": callsOf(chunks...), "finish": finish(chunks[len(chunks)-1])}, nil
}

func (sdk geminiSDK) functionResult(ctx context.Context) (seen, error) {
	asked, err := sdk.ask(ctx, genai.Text(question), mustCall())
	if err != nil {
		return nil, err
	}
	var results []*part
	for _, call := range asked.FunctionCalls() {
		result := &genai.FunctionResponse{ID: call.ID, Name: call.Name, Response: map[string]any{"sky": "clear"}}
		results = append(results, &part{FunctionResponse: result})
	}
	history := append(
		genai.Text(question), asked.Candidates[0].Content, genai.NewContentFromParts(results, genai.RoleUser),
	)
	told, err := sdk.ask(ctx, history, &config{
		MaxOutputTokens: 30, Tools: tools, ToolConfig: calling(genai.FunctionCallingConfigModeNone),
	})
	if err != nil {
		return nil, err
	}
	prompts := []any{usage(asked)["prompt_tokens"], usage(told)["prompt_tokens"]}
	return seen{"text": told.Text(), "finish": finish(told), "prompt_tokens": prompts}, nil
}

func (sdk geminiSDK) fault(ctx context.Context) (seen, error) {
	words := &schema{
		Type:     genai.TypeArray,
		Items:    &schema{Type: genai.TypeString, Enum: []string{"abcdefghijklmnop"}},
		MinItems: genai.Ptr[int64](2000),
	}
	wanted := &config{MaxOutputTokens: 8000, ResponseMIMEType: "application/json", ResponseSchema: words}
	begun, ended := false, false
	for chunk, err := range sdk.Models.GenerateContentStream(ctx, geminiModel, genai.Text("List."), wanted) {
		if err != nil {
			told, err := refusal(err)
			return seen{"refused": told, "ended": ended}, err
		}
		if !begun {
			show(seen{"case": "begun"})
		}
		begun, ended = true, ended || finish(chunk) != nil
	}
	return seen{"refused": seen{}, "ended": ended}, nil
}
