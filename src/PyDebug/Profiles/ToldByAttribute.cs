using System;

namespace PyDebug.Profiles;

/// <summary>
/// On a record that profiles can be had from: which properties together tell it from the others, where JSON has kept
/// no type.
/// </summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class ToldByAttribute(params string[] properties) : Attribute
{
    public string[] Properties { get; } = properties;
}
