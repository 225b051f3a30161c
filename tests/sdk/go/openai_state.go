package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/conversations"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/responses"
)

type (
	response   = responses.Response
	responding = responses.ResponseNewParams
	item       = responses.ResponseInputItemUnionParam
)

var responseTools = []responses.ToolUnionParam{{OfFunction: &responses.FunctionToolParam{
	Name:        "get_weather",
	Description: openai.String("Get the weather in a city"),
	Parameters:  weatherSchema,
	Strict:      openai.Bool(true),
}}}

func (sdk openaiSDK) stateCases() []testCase {
	return []testCase{
		{"response", sdk.response},
		{"response_stream", sdk.responseStream},
		{"response_incomplete", sdk.responseIncomplete},
		{"response_image", sdk.responseImage},
		{"response_function", sdk.responseFunction},
		{"response_stored", sdk.responseStored},
		{"response_refused", sdk.responseRefused},
		{"conversation", sdk.conversation},
		{"files", sdk.files},
		{"batch", sdk.batch},
		{"moderation", sdk.moderation},
	}
}

func said(text string) responses.ResponseNewParamsInputUnion {
	return responses.ResponseNewParamsInputUnion{OfString: openai.String(text)}
}

func (sdk openaiSDK) respond(ctx context.Context, body responding) (*response, error) {
	body.Model, body.Temperature = openaiModel, openai.Float(0)
	return sdk.Responses.New(ctx, body)
}

func kindsOf(answer *response) []string {
	var kinds []string
	for _, one := range answer.Output {
		kinds = append(kinds, one.Type)
	}
	return kinds
}

func choosing(choice responses.ToolChoiceOptions) responses.ResponseNewParamsToolChoiceUnion {
	return responses.ResponseNewParamsToolChoiceUnion{OfToolChoiceMode: param.NewOpt(choice)}
}

func (sdk openaiSDK) response(ctx context.Context) (seen, error) {
	answer, err := sdk.respond(ctx, responding{Input: said("Hello"), MaxOutputTokens: openai.Int(60)})
	if err != nil {
		return nil, err
	}
	return seen{
		"text":   answer.OutputText(),
		"id":     answer.ID,
		"model":  answer.Model,
		"object": answer.Object,
		"status": answer.Status,
		"output": kindsOf(answer),
		"tokens": []int64{answer.Usage.InputTokens, answer.Usage.OutputTokens, answer.Usage.TotalTokens},
	}, nil
}

func (sdk openaiSDK) responseStream(ctx context.Context) (seen, error) {
	wanted := responding{
		Model: openaiModel, Input: said("Hello"), Temperature: openai.Float(0), MaxOutputTokens: openai.Int(60),
	}
	stream := sdk.Responses.NewStreaming(ctx, wanted)
	var kinds []string
	var numbers []int64
	var deltas strings.Builder
	var last response
	for stream.Next() {
		event := stream.Current()
		kinds = append(kinds, event.Type)
		numbers = append(numbers, event.SequenceNumber)
		last = event.Response
		if event.Type == "response.output_text.delta" {
			deltas.WriteString(event.Delta)
		}
	}
	if err := stream.Err(); err != nil {
		return nil, err
	}
	plain, err := sdk.respond(ctx, wanted)
	if err != nil {
		return nil, err
	}
	return seen{
		"plain":   plain.OutputText(),
		"kinds":   slices.Compact(kinds),
		"numbers": numbers,
		"deltas":  deltas.String(),
		"last":    last.OutputText(),
		"status":  last.Status,
	}, nil
}

func (sdk openaiSDK) responseIncomplete(ctx context.Context) (seen, error) {
	words := object{"type": "array", "items": object{"type": "string"}, "minItems": 30}
	answer, err := sdk.respond(ctx, responding{
		Input:           said("Hello"),
		MaxOutputTokens: openai.Int(16),
		Text: responses.ResponseTextConfigParam{Format: responses.ResponseFormatTextConfigUnionParam{
			OfJSONSchema: &responses.ResponseFormatTextJSONSchemaConfigParam{Name: "words", Schema: words},
		}},
	})
	if err != nil {
		return nil, err
	}
	return seen{
		"status": answer.Status, "reason": answer.IncompleteDetails.Reason, "text": answer.OutputText(),
	}, nil
}

func (sdk openaiSDK) responseImage(ctx context.Context) (seen, error) {
	photo, err := sdk.Files.New(ctx, openai.FileNewParams{
		File: openai.File(bytes.NewReader(read("photo.png")), "photo.png", "image/png"), Purpose: openai.FilePurposeVision,
	})
	if err != nil {
		return nil, err
	}
	shown := responses.ResponseInputContentUnionParam{OfInputImage: &responses.ResponseInputImageParam{
		FileID: openai.String(photo.ID), Detail: responses.ResponseInputImageDetailAuto,
	}}
	asked := responses.ResponseInputMessageContentListParam{
		responses.ResponseInputContentParamOfInputText("What is it?"),
	}
	var tokens []int64
	var texts []string
	for _, content := range []responses.ResponseInputMessageContentListParam{append(asked, shown), asked} {
		told := []item{responses.ResponseInputItemParamOfMessage(content, responses.EasyInputMessageRoleUser)}
		answer, err := sdk.respond(ctx, responding{
			Input:           responses.ResponseNewParamsInputUnion{OfInputItemList: told},
			MaxOutputTokens: openai.Int(16),
		})
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, answer.Usage.InputTokens)
		texts = append(texts, answer.OutputText())
	}
	_, err = sdk.Files.Delete(ctx, photo.ID)
	return seen{"text": texts[0], "tokens": tokens}, err
}

func (sdk openaiSDK) responseFunction(ctx context.Context) (seen, error) {
	asked, err := sdk.respond(ctx, responding{
		Input:             said(question),
		Tools:             responseTools,
		ToolChoice:        choosing(responses.ToolChoiceOptionsRequired),
		ParallelToolCalls: openai.Bool(false),
		MaxOutputTokens:   openai.Int(200),
	})
	if err != nil {
		return nil, err
	}
	place := slices.Index(kindsOf(asked), "function_call")
	if place < 0 {
		return nil, fmt.Errorf("no call among %v", kindsOf(asked))
	}
	call := asked.Output[place].AsFunctionCall()
	var args map[string]any
	if err := json.Unmarshal([]byte(call.Arguments), &args); err != nil {
		return nil, err
	}
	result := item{OfFunctionCallOutput: &responses.ResponseInputItemFunctionCallOutputParam{
		CallID: openai.String(call.CallID),
		Output: responses.ResponseInputItemFunctionCallOutputOutputUnionParam{OfString: openai.String(`{"sky": "clear"}`)},
	}}
	told, err := sdk.respond(ctx, responding{
		Input:              responses.ResponseNewParamsInputUnion{OfInputItemList: []item{result}},
		PreviousResponseID: openai.String(asked.ID),
		Tools:              responseTools,
		ToolChoice:         choosing(responses.ToolChoiceOptionsNone),
		MaxOutputTokens:    openai.Int(30),
	})
	if err != nil {
		return nil, err
	}
	return seen{
		"id":      call.ID,
		"call_id": call.CallID,
		"name":    call.Name,
		"args":    args,
		"output":  kindsOf(asked),
		"text":    told.OutputText(),
		"chained": told.PreviousResponseID == asked.ID,
		"tokens":  []int64{asked.Usage.InputTokens, told.Usage.InputTokens},
	}, nil
}

func (sdk openaiSDK) responseStored(ctx context.Context) (seen, error) {
	made, err := sdk.respond(ctx, responding{
		Input: said("Hello"), MaxOutputTokens: openai.Int(16), Metadata: map[string]string{"mine": "yes"},
	})
	if err != nil {
		return nil, err
	}
	got, err := sdk.Responses.Get(ctx, made.ID, responses.ResponseGetParams{})
	if err != nil {
		return nil, err
	}
	input := [][]string{}
	pages := sdk.Responses.InputItems.ListAutoPaging(ctx, made.ID, responses.InputItemListParams{Limit: openai.Int(1)})
	for pages.Next() {
		one := pages.Current()
		input = append(input, []string{one.Type, one.Role, one.Content.OfInputItemContentList[0].Text})
	}
	if err := pages.Err(); err != nil {
		return nil, err
	}
	if err := sdk.Responses.Delete(ctx, made.ID); err != nil {
		return nil, err
	}
	_, err = sdk.Responses.Get(ctx, made.ID, responses.ResponseGetParams{})
	gone, err := openaiRefusal(err)
	return seen{
		"same": []bool{
			got.ID == made.ID, got.OutputText() == made.OutputText(), got.CreatedAt == made.CreatedAt,
		},
		"metadata": got.Metadata,
		"input":    input,
		"gone":     gone,
	}, err
}

func (sdk openaiSDK) responseRefused(ctx context.Context) (seen, error) {
	_, err := sdk.Responses.New(ctx, responding{Model: openaiModel, Input: said("Hello"), Temperature: openai.Float(3)})
	return openaiRefused(err)
}

func (sdk openaiSDK) items(
	ctx context.Context, id string, limit param.Opt[int64],
) ([]conversations.ConversationItemUnion, error) {
	var found []conversations.ConversationItemUnion
	pages := sdk.Conversations.Items.ListAutoPaging(ctx, id, conversations.ItemListParams{
		Order: conversations.ItemListParamsOrderAsc, Limit: limit,
	})
	for pages.Next() {
		found = append(found, pages.Current())
	}
	return found, pages.Err()
}

func (sdk openaiSDK) conversation(ctx context.Context) (seen, error) {
	saying := func(text string) []item {
		return []item{responses.ResponseInputItemParamOfMessage(text, responses.EasyInputMessageRoleUser)}
	}
	made, err := sdk.Conversations.New(ctx, conversations.ConversationNewParams{
		Items: saying("My name is Ada."), Metadata: map[string]string{"mine": "yes"},
	})
	if err != nil {
		return nil, err
	}
	answer, err := sdk.respond(ctx, responding{
		Input:           said("Hello"),
		MaxOutputTokens: openai.Int(16),
		Conversation:    responses.ResponseNewParamsConversationUnion{OfString: openai.String(made.ID)},
	})
	if err != nil {
		return nil, err
	}
	added, err := sdk.Conversations.Items.New(ctx, made.ID, conversations.ItemNewParams{Items: saying("Who are you?")})
	if err != nil {
		return nil, err
	}
	items, err := sdk.items(ctx, made.ID, openai.Int(2))
	if err != nil {
		return nil, err
	}
	if _, err := sdk.Conversations.Items.Delete(ctx, made.ID, items[0].ID); err != nil {
		return nil, err
	}
	left, err := sdk.items(ctx, made.ID, param.Opt[int64]{})
	if err != nil {
		return nil, err
	}
	changed, err := sdk.Conversations.Update(ctx, made.ID, conversations.ConversationUpdateParams{
		Metadata: map[string]string{"mine": "no"},
	})
	if err != nil {
		return nil, err
	}
	got, err := sdk.Conversations.Get(ctx, made.ID)
	if err != nil {
		return nil, err
	}
	if _, err := sdk.Conversations.Delete(ctx, made.ID); err != nil {
		return nil, err
	}
	_, err = sdk.Conversations.Get(ctx, made.ID)
	gone, err := openaiRefusal(err)
	told, ids, stay := [][]string{}, []string{}, []string{}
	for _, one := range items {
		ids = append(ids, one.ID)
		told = append(told, []string{one.Type, one.Role, one.Content.OfMessageContentArray[0].Text})
	}
	for _, one := range left {
		stay = append(stay, one.ID)
	}
	return seen{
		"id":        made.ID,
		"metadata":  []any{made.Metadata, changed.Metadata, got.Metadata},
		"of_answer": answer.Conversation.ID == made.ID,
		"added":     len(added.Data) == 1 && added.Data[0].ID == ids[len(ids)-1],
		"items":     told,
		"left":      slices.Equal(stay, ids[1:]),
		"gone":      gone,
	}, err
}

func (sdk openaiSDK) content(ctx context.Context, id string) (string, error) {
	answer, err := sdk.Files.Content(ctx, id)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	return string(data), err
}

func (sdk openaiSDK) files(ctx context.Context) (seen, error) {
	text := strings.NewReader("The sky is green today.")
	made, err := sdk.Files.New(ctx, openai.FileNewParams{
		File: openai.File(text, "sky.txt", "text/plain"), Purpose: openai.FilePurposeUserData,
	})
	if err != nil {
		return nil, err
	}
	got, err := sdk.Files.Get(ctx, made.ID)
	if err != nil {
		return nil, err
	}
	content, err := sdk.content(ctx, made.ID)
	if err != nil {
		return nil, err
	}
	listed := false
	pages := sdk.Files.ListAutoPaging(ctx, openai.FileListParams{Limit: openai.Int(1)})
	for pages.Next() {
		listed = listed || pages.Current().ID == made.ID
	}
	if err := pages.Err(); err != nil {
		return nil, err
	}
	deleted, err := sdk.Files.Delete(ctx, made.ID)
	if err != nil {
		return nil, err
	}
	_, err = sdk.Files.Get(ctx, made.ID)
	gone, err := openaiRefusal(err)
	return seen{
		"id":       made.ID,
		"same":     got.RawJSON() == made.RawJSON(),
		"bytes":    got.Bytes,
		"filename": got.Filename,
		"purpose":  got.Purpose,
		"object":   got.Object,
		"content":  content,
		"listed":   listed,
		"deleted":  deleted.Deleted,
		"gone":     gone,
	}, err
}

func (sdk openaiSDK) moderation(ctx context.Context) (seen, error) {
	answer, err := sdk.Moderations.New(ctx, openai.ModerationNewParams{
		Input: openai.ModerationNewParamsInputUnion{OfString: openai.String("Hello")},
	})
	if err != nil {
		return nil, err
	}
	flagged := []bool{}
	for _, one := range answer.Results {
		flagged = append(flagged, one.Flagged)
	}
	return seen{"flagged": flagged}, nil
}
