//! The ways in which a grant's session is taken away from a running pod, and given back.

use crate::{Failure, TestNamespace, fixture::grant};
use alter_crds::{AwsGrant, AwsIdentity};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::json;

/// A way of taking a session away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `spec.suspend` of the grant.
    Suspended,
    /// The grant is deleted.
    Deleted,
    /// No rule of the identity names the namespace any more.
    NamespaceOff,
    /// `spec.serviceAccounts` of the grant no longer names the pod's service account.
    AccountOff,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Suspended,
        Self::Deleted,
        Self::NamespaceOff,
        Self::AccountOff,
    ];
}

impl TestNamespace {
    /// Takes the sessions of a grant away by one write; those of every grant of the namespace's where the namespace
    /// is taken off the list.
    pub async fn take_away(&self, way: Way, name: &str) -> Result<(), Failure> {
        match way {
            Way::Suspended => self.edit(name, &json!({"suspend": true})).await,
            Way::Deleted => {
                let grants: Api<AwsGrant> = Api::namespaced(self.client.clone(), &self.name);
                grants.delete(name, &DeleteParams::default()).await?;
                Ok(())
            }
            Way::NamespaceOff => self.allow("elsewhere").await,
            Way::AccountOff => self.edit(name, &json!({"serviceAccounts": ["job"]})).await,
        }
    }

    /// Undoes that, for a grant with `spec` lines beside identity, role and region.
    pub async fn give_back(&self, way: Way, name: &str, spec: &str) -> Result<(), Failure> {
        match way {
            Way::Suspended => self.edit(name, &json!({"suspend": false})).await,
            Way::Deleted => self.apply(&grant(&self.name, name, spec)).await.map(|_| ()),
            Way::NamespaceOff => self.allow(&self.name).await,
            Way::AccountOff => self.edit(name, &json!({"serviceAccounts": []})).await,
        }
    }

    async fn edit(&self, name: &str, spec: &serde_json::Value) -> Result<(), Failure> {
        let grants: Api<AwsGrant> = Api::namespaced(self.client.clone(), &self.name);
        let change = Patch::Merge(json!({"spec": spec}));
        grants.patch(name, &PatchParams::default(), &change).await?;
        Ok(())
    }

    /// The rule of the namespace's identity names that namespace alone.
    async fn allow(&self, namespace: &str) -> Result<(), Failure> {
        let identities: Api<AwsIdentity> = Api::all(self.client.clone());
        let names = json!({"op": "replace", "path": "/spec/allow/0/namespaces/names", "value": [namespace]});
        let change = Patch::<()>::Json(serde_json::from_value(json!([names]))?);
        identities
            .patch(&self.name, &PatchParams::default(), &change)
            .await?;
        Ok(())
    }
}
