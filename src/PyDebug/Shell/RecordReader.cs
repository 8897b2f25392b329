using System;
using System.Collections;
using System.Collections.Generic;
using System.Globalization;
using System.Management.Automation;
using System.Reflection;

namespace PyDebug.Internal;

/// <summary>Makes a record again from the properties that JSON or CLIXML kept of it.</summary>
internal static class RecordReader
{
    /// <summary>Whether the object is, or was made again from, a record of the type.</summary>
    public static bool Is<T>(PSObject item)
        => item.TypeNames[0].EndsWith("." + typeof(T).Name, StringComparison.Ordinal);

    /// <summary>The record itself, or one made again from what was kept of it.</summary>
    public static T As<T>(PSObject item)
        where T : class
        => item.BaseObject as T ?? (T)Read(item, typeof(T));

    /// <summary>The record; a property that is missing or null keeps its default.</summary>
    /// <exception cref="PSInvalidCastException">A property has a value of another kind.</exception>
    public static object Read(PSObject source, Type type)
    {
        object record = Activator.CreateInstance(type, nonPublic: true)!;
        foreach (PropertyInfo property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance))
        {
            object? value = source.Properties[property.Name]?.Value;
            if (value is not null && property.GetSetMethod(nonPublic: true) is MethodInfo setter)
            {
                setter.Invoke(record, [Convert(value, property.PropertyType)]);
            }
        }

        return record;
    }

    private static object Convert(object value, Type type)
    {
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyList<>))
        {
            return List(value, type.GetGenericArguments()[0]);
        }

        object plain = value is PSObject wrapped ? wrapped.BaseObject : value;
        Type wanted = Nullable.GetUnderlyingType(type) ?? type;
        if (wanted.IsInstanceOfType(plain) && plain is not DateTime)
        {
            return plain;
        }

        if (wanted.Namespace == nameof(PyDebug))
        {
            return Read(PSObject.AsPSObject(value), wanted);
        }

        if (wanted == typeof(DateTime) && plain is string text)
        {
            return DateTime.Parse(text, CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal);
        }

        object converted = LanguagePrimitives.ConvertTo(plain, wanted, CultureInfo.InvariantCulture);
        return converted is DateTime time ? time.ToUniversalTime() : converted;
    }

    private static object List(object value, Type item)
    {
        IList list = (IList)Activator.CreateInstance(typeof(List<>).MakeGenericType(item))!;
        object plain = value is PSObject wrapped ? wrapped.BaseObject : value;
        if (plain is not IEnumerable || plain is string)
        {
            list.Add(Convert(value, item));
            return list;
        }

        foreach (object? element in (IEnumerable)plain)
        {
            if (element is not null)
            {
                list.Add(Convert(element, item));
            }
        }

        return list;
    }
}
