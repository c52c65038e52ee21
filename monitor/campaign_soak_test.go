//go:build soak

package monitor

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"
)

// TestCampaign is TestNoFalseBlame for as many exchanges as CAMPAIGN says, from
// the seed CAMPAIGN_SEED on.
func TestCampaign(t *testing.T) {
	number := func(name string, otherwise int) int {
		n, err := strconv.Atoi(os.Getenv(name))
		if err != nil {
			return otherwise
		}
		return n
	}
	var (
		wanted  = number("CAMPAIGN", 100_000_000)
		mu      sync.Mutex
		table   = blameTable{}
		next    = number("CAMPAIGN_SEED", 1000)
		begun   = time.Now()
		told    = begun
		workers sync.WaitGroup
	)
	work := func(t *testing.T) {
		defer workers.Done()
		for {
			mu.Lock()
			if table.sum().exchanges >= wanted || t.Failed() {
				mu.Unlock()
				return
			}
			seed := next
			next++
			mu.Unlock()
			c := episode(t, uint64(seed), 100, seed%(len(troubles)+1))
			mu.Lock()
			table.add(c)
			for _, w := range c.wrongs {
				t.Errorf("seed %d: %s", seed, w)
			}
			if now := time.Now(); now.Sub(told) > time.Minute {
				told = now
				all := table.sum()
				fmt.Printf("%s: %d of %d exchanges, %d judged, %d wrong\n", now.Sub(begun).Round(time.Second), all.exchanges, wanted, all.judged, all.wrong)
			}
			mu.Unlock()
		}
	}
	t.Run("", func(t *testing.T) {
		for i := range runtime.GOMAXPROCS(0) {
			workers.Add(1)
			t.Run(fmt.Sprint(i), func(t *testing.T) { t.Parallel(); work(t) })
		}
	})
	workers.Wait()
	fmt.Printf("\n%s\nseeds up to %d, %s\n", table, next-1, time.Since(begun).Round(time.Second))
}
