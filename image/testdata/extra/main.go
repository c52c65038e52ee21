// Command extra is what a builder might add to an image: for a test.
package main

import "fmt"

func main() { fmt.Println("extra") }
