// The peer of `npm run bench -- operator`: the least that a controller on controller-runtime does to see what this
// project's operator sees. It lists and watches connectors, Secrets as metadata only, Jobs, pods and checkpoints with the
// same selectors, without managedFields, and writes a status when a connector has none.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const (
	managedBy      = "app.kubernetes.io/managed-by=zendesk-connector"
	connectorLabel = "cloudapps.security/connector"
	ownerIndex     = "owner"
	secretIndex    = "secret"
)

var version = schema.GroupVersion{Group: "cloudapps.security", Version: "v1alpha1"}

// Connector leaves spec and status as text: fewer allocations than the types that a generator would write.
type Connector struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              Spec            `json:"spec"`
	Status            json.RawMessage `json:"status,omitempty"`
}

// Spec is what the watch of Secrets needs.
type Spec struct {
	Endpoint  string `json:"endpoint"`
	SecretRef struct {
		Name string `json:"name"`
	} `json:"secretRef"`
	Sync json.RawMessage `json:"sync,omitempty"`
}

type ConnectorList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Connector `json:"items"`
}

func (c *Connector) DeepCopyObject() runtime.Object {
	copied := *c
	c.ObjectMeta.DeepCopyInto(&copied.ObjectMeta)
	copied.Status = append(json.RawMessage(nil), c.Status...)
	copied.Spec.Sync = append(json.RawMessage(nil), c.Spec.Sync...)
	return &copied
}

func (l *ConnectorList) DeepCopyObject() runtime.Object {
	copied := *l
	copied.Items = make([]Connector, len(l.Items))
	for i := range l.Items {
		copied.Items[i] = *l.Items[i].DeepCopyObject().(*Connector)
	}
	return &copied
}

type reconciler struct{ client client.Client }

func (r *reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	var connector Connector
	if err := r.client.Get(ctx, request.NamespacedName, &connector); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	var jobs batchv1.JobList
	if err := r.client.List(ctx, &jobs, client.MatchingFields{ownerIndex: string(connector.UID)}); err != nil {
		return reconcile.Result{}, err
	}
	if len(connector.Status) > 0 {
		return reconcile.Result{}, nil
	}
	before := connector.DeepCopyObject().(*Connector)
	connector.Status, _ = json.Marshal(map[string]any{
		"connection": "Pending",
		"conditions": []metav1.Condition{{
			Type: "Ready", Status: "Unknown", Reason: "Pending", Message: "Not tested yet.",
			LastTransitionTime: metav1.Now(), ObservedGeneration: connector.Generation,
		}},
	})
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	return reconcile.Result{}, client.IgnoreNotFound(r.client.Status().Patch(ctx, &connector, patch))
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	// --kubeconfig is a flag of the library's.
	flag.Parse()
	ctrl.SetLogger(klog.Background())

	config, err := ctrl.GetConfig()
	must(err)
	// Ours is not limited either.
	config.QPS = -1
	kinds := scheme.Scheme
	kinds.AddKnownTypeWithName(version.WithKind("ZendeskConnector"), &Connector{})
	kinds.AddKnownTypeWithName(version.WithKind("ZendeskConnectorList"), &ConnectorList{})
	metav1.AddToGroupVersion(kinds, version)

	selector := func(text string) cache.ByObject {
		parsed, err := labels.Parse(text)
		must(err)
		return cache.ByObject{Label: parsed}
	}
	mgr, err := ctrl.NewManager(config, manager.Options{
		Scheme:  kinds,
		Metrics: server.Options{BindAddress: "0"},
		Cache: cache.Options{
			DefaultTransform: cache.TransformStripManagedFields(),
			ByObject: map[client.Object]cache.ByObject{
				&batchv1.Job{}:      selector(managedBy),
				&corev1.Pod{}:       selector(managedBy),
				&corev1.ConfigMap{}: selector(managedBy + ",app.kubernetes.io/component=checkpoint"),
			},
		},
	})
	must(err)

	ctx := ctrl.SetupSignalHandler()
	must(mgr.GetFieldIndexer().IndexField(ctx, &batchv1.Job{}, ownerIndex, func(job client.Object) []string {
		if owner := metav1.GetControllerOf(job); owner != nil {
			return []string{string(owner.UID)}
		}
		return nil
	}))
	must(mgr.GetFieldIndexer().IndexField(ctx, &Connector{}, secretIndex, func(connector client.Object) []string {
		return []string{connector.(*Connector).Spec.SecretRef.Name}
	}))

	byLabel := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, object client.Object) []reconcile.Request {
		name := types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetLabels()[connectorLabel]}
		return []reconcile.Request{{NamespacedName: name}}
	})
	bySecret := handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
		var users ConnectorList
		with := client.MatchingFields{secretIndex: object.GetName()}
		if err := mgr.GetClient().List(ctx, &users, client.InNamespace(object.GetNamespace()), with); err != nil {
			return nil
		}
		requests := make([]reconcile.Request, len(users.Items))
		for i := range users.Items {
			requests[i].NamespacedName = client.ObjectKeyFromObject(&users.Items[i])
		}
		return requests
	})
	secret := &metav1.PartialObjectMetadata{}
	secret.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	must(ctrl.NewControllerManagedBy(mgr).
		Named("zendeskconnector").
		For(&Connector{}).
		Owns(&batchv1.Job{}).
		Watches(&corev1.Pod{}, byLabel).
		Watches(&corev1.ConfigMap{}, byLabel).
		WatchesMetadata(secret, bySecret).
		WithOptions(controller.Options{MaxConcurrentReconciles: 20}).
		Complete(&reconciler{client: mgr.GetClient()}))
	must(mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		var all ConnectorList
		if err := mgr.GetClient().List(ctx, &all); err != nil {
			return err
		}
		fmt.Printf("{\"msg\":\"operator ready\",\"connectors\":%d}\n", len(all.Items))
		return nil
	})))
	must(mgr.Start(ctx))
}
