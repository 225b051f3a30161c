package main

import (
	"context"
	"errors"

	"github.com/openai/openai-go/v3"
)

func mustCallTool() completing {
	return completing{
		Tools: chatTools,
		ToolChoice: openai.ChatCompletionToolChoiceOptionUnionParam{
			OfAuto: openai.String("required"),
		},
		ParallelToolCalls: openai.Bool(false),
		MaxTokens:         openai.Int(200),
	}
}

func (sdk openaiSDK) tools(ctx context.Context) (seen, error) {
	said, err := sdk.ask(ctx, weatherQuestion, mustCallTool())
	if err != nil {
		return nil, err
	}
	choice := said.Choices[0]
	calls, err := toolCallsOf(choice.Message)
	return seen{"calls": calls, "finish": choice.FinishReason, "text": orNil(choice.Message.Content)}, err
}

func (sdk openaiSDK) toolsStream(ctx context.Context) (seen, error) {
	chunks, err := sdk.pieces(ctx, weatherQuestion, mustCallTool())
	if err != nil {
		return nil, err
	}
	whole := openai.ChatCompletionAccumulator{}
	finished := 0
	for _, chunk := range chunks {
		if !whole.AddChunk(chunk) {
			return nil, errors.New("a chunk does not belong to the others")
		}
		if _, ended := whole.JustFinishedToolCall(); ended {
			finished++
		}
	}
	choice := whole.Choices[0]
	calls, err := toolCallsOf(choice.Message)
	return seen{
		"calls": calls, "finish": choice.FinishReason, "text": orNil(choice.Message.Content), "finished": finished,
	}, err
}

func (sdk openaiSDK) toolResult(ctx context.Context) (seen, error) {
	asked, err := sdk.ask(ctx, weatherQuestion, mustCallTool())
	if err != nil {
		return nil, err
	}
	called := asked.Choices[0].Message
	history := []message{weatherQuestion[0], called.ToParam()}
	for _, one := range called.ToolCalls {
		history = append(history, openai.ToolMessage(`{"sky": "clear"}`, one.ID))
	}
	told, err := sdk.ask(ctx, history, completing{
		Tools:      chatTools,
		ToolChoice: openai.ChatCompletionToolChoiceOptionUnionParam{OfAuto: openai.String("none")},
		MaxTokens:  openai.Int(30),
	})
	if err != nil {
		return nil, err
	}
	return seen{
		"text":          told.Choices[0].Message.Content,
		"finish":        told.Choices[0].FinishReason,
		"prompt_tokens": []int64{asked.Usage.PromptTokens, told.Usage.PromptTokens},
	}, nil
}
