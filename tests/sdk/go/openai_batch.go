package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/openai/openai-go/v3"
)

type batchLine struct {
	CustomID string `json:"custom_id"`
	Error    any    `json:"error"`
	Response struct {
		StatusCode int        `json:"status_code"`
		Body       completion `json:"body"`
	} `json:"response"`
}

// ended waits until the batch has ended; polling is the only way that there is.
func (sdk openaiSDK) ended(ctx context.Context, job *openai.Batch) (*openai.Batch, error) {
	last := []openai.BatchStatus{
		openai.BatchStatusCompleted, openai.BatchStatusFailed, openai.BatchStatusExpired, openai.BatchStatusCancelled,
	}
	var err error
	for err == nil && !slices.Contains(last, job.Status) {
		time.Sleep(pollInterval)
		job, err = sdk.Batches.Get(ctx, job.ID)
	}
	return job, err
}

func (sdk openaiSDK) batch(ctx context.Context) (seen, error) {
	var written []string
	var alone []string
	for place, text := range []string{"Hi", "Who are you?"} {
		body := completing{Temperature: openai.Float(0), MaxTokens: openai.Int(8)}
		answer, err := sdk.ask(ctx, []message{openai.UserMessage(text)}, body)
		if err != nil {
			return nil, err
		}
		alone = append(alone, answer.Choices[0].Message.Content)
		body.Model, body.Messages = openaiModel, []message{openai.UserMessage(text)}
		line, err := json.Marshal(object{
			"custom_id": fmt.Sprintf("line-%d", place), "method": "POST", "url": "/v1/chat/completions", "body": body,
		})
		if err != nil {
			return nil, err
		}
		written = append(written, string(line))
	}
	file, err := sdk.Files.New(ctx, openai.FileNewParams{
		File:    openai.File(strings.NewReader(strings.Join(written, "\n")), "lines.jsonl", "application/jsonl"),
		Purpose: openai.FilePurposeBatch,
	})
	if err != nil {
		return nil, err
	}
	job, err := sdk.Batches.New(ctx, openai.BatchNewParams{
		InputFileID:      file.ID,
		Endpoint:         openai.BatchNewParamsEndpointV1ChatCompletions,
		CompletionWindow: openai.BatchNewParamsCompletionWindow24h,
	})
	if err != nil {
		return nil, err
	}
	if job, err = sdk.ended(ctx, job); err != nil {
		return nil, err
	}
	output, err := sdk.content(ctx, job.OutputFileID)
	if err != nil {
		return nil, err
	}
	lines, texts := [][]any{}, []string{}
	for _, text := range strings.Split(strings.TrimSpace(output), "\n") {
		var one batchLine
		if err := json.Unmarshal([]byte(text), &one); err != nil {
			return nil, err
		}
		lines = append(lines, []any{one.CustomID, one.Response.StatusCode, one.Error})
		texts = append(texts, one.Response.Body.Choices[0].Message.Content)
	}
	listed := false
	pages := sdk.Batches.ListAutoPaging(ctx, openai.BatchListParams{Limit: openai.Int(1)})
	for pages.Next() {
		listed = listed || pages.Current().ID == job.ID
	}
	return seen{
		"id":     job.ID,
		"status": job.Status,
		"object": job.Object,
		"counts": []int64{job.RequestCounts.Total, job.RequestCounts.Completed, job.RequestCounts.Failed},
		"lines":  lines,
		"texts":  texts,
		"alone":  alone,
		"listed": listed,
	}, pages.Err()
}
