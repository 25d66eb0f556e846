// Sends GETs and POSTs through net/http's connection pool and prints what failed.
//
// usage: go run client.go URL REQUESTS
package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
)

const workers = 4

func main() {
	url := os.Args[1]
	requests, err := strconv.Atoi(os.Args[2])
	if err != nil {
		panic(err)
	}
	var failures sync.Map
	var group sync.WaitGroup
	for worker := 0; worker < workers; worker++ {
		group.Add(1)
		go func(worker int) {
			defer group.Done()
			for i := worker; i < requests; i += workers {
				if err := send(url, i); err != nil {
					failures.Store(i, err)
				}
			}
		}(worker)
	}
	group.Wait()
	failures.Range(func(request, err any) bool {
		fmt.Printf("request %v: %v\n", request, err)
		return true
	})
}

func send(url string, i int) error {
	var response *http.Response
	var err error
	expected := []byte("hello\n")
	if i%2 == 0 {
		response, err = http.Get(url + "/")
	} else {
		expected = bytes.Repeat([]byte("x"), 1000)
		// A body that cannot be sent again: net/http must not need to.
		response, err = http.Post(url+"/echo", "text/plain", io.LimitReader(bytes.NewReader(expected), 1000))
	}
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != 200 || !bytes.Equal(body, expected) {
		return fmt.Errorf("status %d, %d bytes", response.StatusCode, len(body))
	}
	return nil
}
