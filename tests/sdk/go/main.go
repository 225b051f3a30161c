// Every case of the tables of the official SDKs, through those of Go.
//
// Usage: driver gemini|openai_api BASE_URL FOLDER [fault]. The folder holds photo.png, photo.jpg and report.pdf. One JSON
// line per case is printed: {"case": name, ...what was seen}, or {"case": name, "error": {...}} where the SDK returned an
// error. With `fault` one long stream is read instead, which says when it has begun, so that it can be broken.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

type seen = map[string]any

type testCase struct {
	name string
	run  func(context.Context) (seen, error)
}

var folder string

func read(name string) []byte {
	data, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		panic(err)
	}
	return data
}

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: driver gemini|openai_api BASE_URL FOLDER [fault]")
		os.Exit(2)
	}
	folder = os.Args[3]
	ctx := context.Background()
	var cases, faults []testCase
	switch os.Args[1] {
	case "gemini":
		cases, faults = geminiCases(ctx, os.Args[2])
	case "openai_api":
		cases, faults = openaiCases(os.Args[2])
	}
	if len(os.Args) > 4 {
		cases = faults
	}
	for _, one := range cases {
		found, err := one.run(ctx)
		if err != nil {
			found = seen{"error": seen{"type": fmt.Sprintf("%T", err), "message": err.Error()}}
		}
		found["case"] = one.name
		show(found)
	}
}

func show(found seen) {
	line, err := json.Marshal(found)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(line))
}
