//! The order of layers, and their one spelling.

use std::collections::BTreeSet;

use keeper_registry::{Layer, LayerError};
use proptest::{collection::vec, prelude::*};

fn word() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c]{1,2}", "[A-Za-z0-9._-]{1,12}"].prop_filter("a folder's name", |word| word != "." && word != "..")
}

/// A layer as somebody may write it, labels in any order.
fn written() -> impl Strategy<Value = String> {
    let labels = vec((word(), word()), 1..5).prop_map(|labels| {
        let labels: Vec<_> = labels.into_iter().map(|(name, value)| format!("label.{name}={value}")).collect();
        labels.join(",")
    });
    prop_oneof![
        1 => word().prop_map(|word| format!("zone={word}")),
        1 => word().prop_map(|word| format!("service={word}")),
        3 => labels,
        1 => "\\PC{0,20}",
    ]
}

/// Where a layer stands among the kinds, and how many labels it has.
fn rank(layer: &Layer) -> (u8, usize) {
    match layer {
        Layer::Base => (0, 0),
        Layer::Zone(_) => (1, 0),
        Layer::Service(_) => (2, 0),
        Layer::Labels(labels) => (3, labels.iter().len()),
    }
}

proptest! {
    /// What was read is written in one way, and read from that as the same; two layers never share a key.
    #[test]
    fn a_layer_has_one_spelling(written in vec(written(), 0..12)) {
        let layers: Vec<_> = written.iter().filter_map(|text| Layer::parse(text).ok()).collect();
        let mut keys = BTreeSet::new();
        for layer in &layers {
            prop_assert_eq!(Layer::parse(&layer.to_string()), Ok(layer.clone()));
            let key = layer.key("push/room.toml");
            prop_assert_eq!(Layer::of_key(&key), Ok(("push/room.toml", layer.clone())));
            keys.insert(key);
        }
        let distinct: BTreeSet<_> = layers.iter().collect();
        prop_assert_eq!(keys.len(), distinct.len());
        for text in written {
            let is_canonical = Layer::parse(&text).is_ok_and(|layer| layer.to_string() == text);
            prop_assert_eq!(Layer::of_key(&format!("a@{text}")).is_ok(), is_canonical && text.len() <= 256, "{}", text);
        }
    }

    /// The order is total, does not depend on where it began, and is base, zone, service, fewer labels, more labels.
    #[test]
    fn layers_have_one_order(written in vec(written(), 0..12), turn in 0_usize..12) {
        let mut layers: Vec<_> = written.iter().filter_map(|text| Layer::parse(text).ok()).collect();
        layers.push(Layer::Base);
        let mut turned = layers.clone();
        let middle = turn % turned.len();
        turned.rotate_left(middle);
        turned.reverse();
        layers.sort();
        turned.sort();
        prop_assert_eq!(&layers, &turned);
        prop_assert!(layers.iter().map(rank).is_sorted());
        let is_same = |pair: &[Layer]| pair[0].to_string() == pair[1].to_string();
        prop_assert!(layers.windows(2).all(|pair| (pair[0] == pair[1]) == is_same(pair)));
    }
}

#[test]
fn what_is_no_layer_says_why() {
    let many = (0..17).map(|number| format!("label.l{number:02}=x")).collect::<Vec<_>>().join(",");
    let said = ["", "zone", "Zone=a", "zone=a b", "label.=x", "label.a=1,label.a=2", "label.a=1,zone=b", &many];
    let said: Vec<_> = said.into_iter().map(|text| Layer::parse(text).map_err(|error| error.to_string())).collect();
    let unknown = |text: &str| {
        Err(format!(
            "`{text}` is no layer: a layer is zone=ZONE, service=SERVICE, or label.NAME=VALUE and more labels behind \
             commas"
        ))
    };
    let word = |word: &str| Err(LayerError::Word(word.to_owned()).to_string());
    let expected = [
        unknown(""),
        unknown("zone"),
        unknown("Zone=a"),
        word("a b"),
        word(""),
        Err("label `a` is named twice".to_owned()),
        unknown("zone=b"),
        Err("a layer names 17 labels; an instance has at most 16".to_owned()),
    ];
    assert_eq!(said, expected);
}
