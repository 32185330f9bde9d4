// What the AWS SDK for Go's default chain finds: the access key id and when it expires.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
)

func main() {
	ctx := context.Background()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err == nil {
		credentials, retrieveErr := cfg.Credentials.Retrieve(ctx)
		if err = retrieveErr; err == nil {
			fmt.Println(credentials.AccessKeyID, credentials.Expires.UTC().Format(time.RFC3339))
			return
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
