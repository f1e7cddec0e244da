// Package types names what the CRD is made from, so that go.mod and go.sum hold it.
package types

import _ "github.com/fluxcd/helm-controller/api/v2"
