package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"google.golang.org/genai"
)

const pollInterval = 50 * time.Millisecond

func (sdk geminiSDK) files(ctx context.Context) (seen, error) {
	text := []byte("The sky is green today.")
	made, err := sdk.Files.Upload(ctx, bytes.NewReader(text), &genai.UploadFileConfig{
		MIMEType: "text/plain", DisplayName: "sky",
	})
	if err != nil {
		return nil, err
	}
	fromPath, err := sdk.Files.UploadFromPath(ctx, filepath.Join(folder, "report.pdf"), nil)
	if err != nil {
		return nil, err
	}
	got, err := sdk.Files.Get(ctx, made.Name, nil)
	if err != nil {
		return nil, err
	}
	sum := func(shown *part) (seen, error) {
		parts := []*part{shown, genai.NewPartFromText("Sum.")}
		said, err := sdk.ask(ctx, []*content{genai.NewContentFromParts(parts, genai.RoleUser)}, &config{MaxOutputTokens: 8})
		if err != nil {
			return nil, err
		}
		return with(usage(said), seen{"text": said.Text()}), nil
	}
	byFile, err := sum(genai.NewPartFromFile(*made))
	if err != nil {
		return nil, err
	}
	inline, err := sum(genai.NewPartFromBytes(text, "text/plain"))
	if err != nil {
		return nil, err
	}
	listed, err := collect(sdk.Files.All(ctx))
	if err != nil {
		return nil, err
	}
	digest, err := base64.StdEncoding.DecodeString(got.Sha256Hash)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{made.Name, fromPath.Name} {
		if _, err := sdk.Files.Delete(ctx, name, nil); err != nil {
			return nil, err
		}
	}
	_, err = sdk.Files.Get(ctx, made.Name, nil)
	gone, err := refusal(err)
	if err != nil {
		return nil, err
	}
	return seen{
		"name":         made.Name,
		"same":         []bool{got.Name == made.Name, got.URI == made.URI, got.Sha256Hash == made.Sha256Hash},
		"mime":         []string{got.MIMEType, fromPath.MIMEType},
		"size":         []int64{*got.SizeBytes, *fromPath.SizeBytes},
		"sha256":       string(digest),
		"display_name": got.DisplayName,
		"state":        got.State,
		"hours":        got.ExpirationTime.Sub(got.CreateTime).Hours(),
		"listed":       slices.ContainsFunc(listed, func(one *genai.File) bool { return one.Name == made.Name }),
		"by_file":      byFile,
		"inline":       inline,
		"gone":         gone,
	}, nil
}

func (sdk geminiSDK) cache(ctx context.Context) (seen, error) {
	history := []*content{
		genai.NewContentFromText("My name is Ada. Say hello.", genai.RoleUser),
		genai.NewContentFromText("Hello Ada!", genai.RoleModel),
	}
	again := genai.NewContentFromText("Hello again.", genai.RoleUser)
	brief := genai.NewContentFromText("Be brief.", genai.RoleUser)
	made, err := sdk.Caches.Create(ctx, geminiModel, &genai.CreateCachedContentConfig{
		Contents: history, SystemInstruction: brief, TTL: 10 * time.Minute, DisplayName: "mine",
	})
	if err != nil {
		return nil, err
	}
	got, err := sdk.Caches.Get(ctx, made.Name, nil)
	if err != nil {
		return nil, err
	}
	changed, err := sdk.Caches.Update(ctx, made.Name, &genai.UpdateCachedContentConfig{TTL: 2 * time.Hour})
	if err != nil {
		return nil, err
	}
	cached, err := sdk.ask(ctx, []*content{again}, &config{
		CachedContent: made.Name, Temperature: zero, MaxOutputTokens: 12,
	})
	if err != nil {
		return nil, err
	}
	plain, err := sdk.ask(ctx, append(history, again), &config{
		SystemInstruction: brief, Temperature: zero, MaxOutputTokens: 12,
	})
	if err != nil {
		return nil, err
	}
	listed, err := collect(sdk.Caches.All(ctx))
	if err != nil {
		return nil, err
	}
	if _, err := sdk.Caches.Delete(ctx, made.Name, nil); err != nil {
		return nil, err
	}
	_, err = sdk.Caches.Get(ctx, made.Name, nil)
	gone, err := refusal(err)
	if err != nil {
		return nil, err
	}
	return seen{
		"name":         made.Name,
		"same":         got.Name == made.Name,
		"model":        got.Model,
		"display_name": got.DisplayName,
		"tokens":       got.UsageMetadata.TotalTokenCount,
		"seconds": []float64{
			got.ExpireTime.Sub(got.CreateTime).Seconds(), changed.ExpireTime.Sub(changed.UpdateTime).Seconds(),
		},
		"cached":        with(usage(cached), seen{"text": cached.Text()}),
		"cached_tokens": cached.UsageMetadata.CachedContentTokenCount,
		"plain":         with(usage(plain), seen{"text": plain.Text()}),
		"listed": slices.ContainsFunc(listed, func(one *genai.CachedContent) bool {
			return one.Name == made.Name
		}),
		"gone": gone,
	}, nil
}

func (sdk geminiSDK) batch(ctx context.Context) (seen, error) {
	texts := []string{"Hi", "Who are you?"}
	wanted := &config{Temperature: zero, MaxOutputTokens: 8}
	var requests []*genai.InlinedRequest
	for _, text := range texts {
		requests = append(requests, &genai.InlinedRequest{Contents: genai.Text(text), Config: wanted})
	}
	model := geminiModel
	job, err := sdk.Batches.Create(
		ctx, model, &genai.BatchJobSource{InlinedRequests: requests}, &genai.CreateBatchJobConfig{DisplayName: "two"},
	)
	if err != nil {
		return nil, err
	}
	name, first := job.Name, job.State
	for job.State == genai.JobStatePending || job.State == genai.JobStateRunning || job.State == genai.JobStateQueued {
		time.Sleep(pollInterval)
		if job, err = sdk.Batches.Get(ctx, name, nil); err != nil {
			return nil, err
		}
	}
	var told, alone []string
	if job.Dest == nil {
		return nil, fmt.Errorf("the batch ended as %s without results", job.State)
	}
	for _, one := range job.Dest.InlinedResponses {
		told = append(told, one.Response.Text())
	}
	for _, text := range texts {
		said, err := sdk.ask(ctx, genai.Text(text), wanted)
		if err != nil {
			return nil, err
		}
		alone = append(alone, said.Text())
	}
	listed, err := collect(sdk.Batches.All(ctx))
	if err != nil {
		return nil, err
	}
	if _, err := sdk.Batches.Delete(ctx, name, nil); err != nil {
		return nil, err
	}
	_, err = sdk.Batches.Get(ctx, name, nil)
	gone, err := refusal(err)
	if err != nil {
		return nil, err
	}
	return seen{
		"name":         name,
		"states":       []genai.JobState{first, job.State},
		"model":        job.Model,
		"display_name": job.DisplayName,
		"texts":        told,
		"alone":        alone,
		"listed":       slices.ContainsFunc(listed, func(one *genai.BatchJob) bool { return one.Name == name }),
		"gone":         gone,
	}, nil
}
